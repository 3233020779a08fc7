import logging

import pytest
import tensorflow as tf

from keras_regnet.training import command_line


@pytest.fixture
def told(monkeypatch):
    """What TensorFlow says in its log."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "handlers", [handler])
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield messages
    logger.setLevel(level)


def many_traces():
    function = tf.function(lambda number: number)
    for number in range(12):
        function(number)
    logging.getLogger("tensorflow").warning("something else")


def test_many_traces_are_no_news_to_a_user_of_a_script(told):
    many_traces()
    assert any("retracing" in message for message in told)
    told.clear()
    command_line.run(many_traces)
    assert told == ["something else"]
