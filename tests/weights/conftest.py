"""A server to download from, and no waiting between attempts."""

import pytest

from keras_regnet.weights import download
from tests.weights.loopback import CONTENT, Behaviour, serving


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.01, 0.02))


@pytest.fixture
def server():
    """Gives CONTENT at `server.url`."""
    behaviour = Behaviour(CONTENT)
    with serving(behaviour) as url:
        behaviour.url = f"{url}/some/net.safetensors"
        yield behaviour
