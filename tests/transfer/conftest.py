"""Fixtures for the tests of fine-tuning."""

import types

import pytest

from keras_regnet import plots
from keras_regnet.publishing import layout, publication
from keras_regnet.transfer import outputs


@pytest.fixture
def undrawn(monkeypatch):
    """Runs draw no pictures and write no report, which takes them seconds."""
    monkeypatch.setattr(plots, "plot_learning_curves", lambda *_, **__: None)
    for name in ("_draw", "write_report"):
        monkeypatch.setattr(outputs, name, lambda *_: None)


@pytest.fixture
def no_saved_model(monkeypatch):
    """Published folders have empty files for a SavedModel, which takes seconds."""

    files = [name for name in layout.LISTED if name.startswith(("saved", "variables"))]
    loaded = types.SimpleNamespace(signatures={"serve": None, "fast_serve": None})

    def write(model, fused, reader, path):
        for name in (*files, "variables/variables.data-00000-of-00001"):
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).touch()

    monkeypatch.setattr(publication, "write_saved_model", write)
    monkeypatch.setattr(publication.tf.saved_model, "load", lambda path: loaded)
    monkeypatch.setattr(publication, "_check", lambda *_: None)
    monkeypatch.setattr(publication.speed, "milliseconds_per_image", lambda *_: {})
