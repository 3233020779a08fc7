import threading
import time
from contextlib import contextmanager, nullcontext

import keras
import pytest

from keras_regnet.training import Trainer, keeper, outputs, training_run
from keras_regnet.training.precise_batch_norm import PreciseBatchNorm
from keras_regnet.training.watchdog import Watchdog
from tests.training import toys


def test_silence_ends_the_process_with_a_message(capsys):
    ended = threading.Event()
    codes = []

    def leave(code):
        codes.append(code)
        ended.set()

    with Watchdog(0.1, "Nothing happens.", leave=leave) as watchdog:
        watchdog.alive("adding up")
        assert ended.wait(20)
    assert codes == [4]
    assert capsys.readouterr().err == "Nothing happens. It was: adding up.\n"


def test_it_is_quiet_while_something_happens():
    codes = []
    with Watchdog(1.0, "", leave=codes.append) as watchdog:
        for _ in range(15):
            time.sleep(0.1)
            watchdog.alive()
    time.sleep(1.2)
    assert not codes


def test_zero_watches_nothing():
    codes = []
    before = threading.active_count()
    with Watchdog(0, "", leave=codes.append):
        assert threading.active_count() == before
    with pytest.raises(ValueError, match=r"at least 0\. Received: -1"):
        Watchdog(-1, "")


def test_it_waits_while_somebody_writes():
    codes = []
    with Watchdog(0.1, "", leave=codes.append) as watchdog:
        with watchdog.paused(), watchdog.paused():
            time.sleep(0.5)
        assert not codes
        time.sleep(0.5)
    assert codes == [4]


class Recorder(nullcontext):
    """A watchdog of which one sees what it is told."""

    fed = pauses = 0

    def alive(self, doing=""):
        self.fed += 1

    @contextmanager
    def paused(self):
        self.pauses += 1
        yield
        self.pauses -= 1


def test_a_trainer_feeds_it_while_it_takes_statistics_and_writes(tmp_path, monkeypatch):
    watchdog = Recorder()
    monkeypatch.setattr(Trainer, "_make_watchdog", lambda *_: watchdog)
    seen = []

    def watch(owner, name):
        original = getattr(owner, name)

        def watched(*args, **kwargs):
            fed = watchdog.fed
            result = original(*args, **kwargs)
            seen.append((name, watchdog.pauses or watchdog.fed - fed))
            return result

        monkeypatch.setattr(owner, name, watched)

    watch(keeper.Keeper, "save")
    watch(PreciseBatchNorm, "update")
    watch(outputs, "save_keras")
    watch(training_run, "save_results")

    class Save(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(("callback", watchdog.pauses))

    Trainer(
        toys.network(),
        toys.train(),
        toys.validation(),
        toys.config(epochs=1, warmup_epochs=0, precise_bn_images=64),
        tmp_path,
        callbacks=[Save()],
        verbose=0,
    ).train()
    assert seen == [
        ("update", 4),  # once for each batch of 16
        ("callback", 1),
        ("save", 1),
        ("save_keras", 1),
        ("save_results", 1),
    ]
    assert watchdog.fed >= 6 + 4 + 3  # steps, statistics, validation
