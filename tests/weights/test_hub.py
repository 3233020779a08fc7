"""The hub on a server of this machine, with its library and without."""

import sys

import pytest

from keras_regnet.weights.download import DownloadError
from keras_regnet.weights.hub import fetch_from_hub
from tests.weights.loopback import CONTENT, SHA256, Behaviour, serving


@pytest.fixture
def hub(monkeypatch):
    behaviour = Behaviour(CONTENT, etag=f'"{SHA256}"')
    with serving(behaviour) as url:
        monkeypatch.setenv("HF_ENDPOINT", url + "/")
        yield behaviour


def test_the_hub_without_its_library(hub, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    path = fetch_from_hub("timm/net.in1k", "model.safetensors", cache_dir=tmp_path)
    assert path == tmp_path / "timm--net.in1k--model.safetensors"
    assert path.read_bytes() == CONTENT
    asked = [("HEAD", None), ("GET", None)]
    assert hub.requests == asked
    fetch_from_hub("timm/net.in1k", "model.safetensors", cache_dir=tmp_path)
    assert hub.requests == asked  # the second time from the cache
    other = fetch_from_hub(
        "timm/net.in1k", "model.safetensors", revision="v1", cache_dir=tmp_path
    )
    assert other == tmp_path / "timm--net.in1k--v1--model.safetensors"
    hub.statuses = [404, 404]
    with pytest.raises(
        DownloadError, match=r"/timm/none/resolve/main/model\.safetensors"
    ):
        fetch_from_hub("timm/none", "model.safetensors", cache_dir=tmp_path)


@pytest.mark.parametrize("sent_on", [True, False])
def test_other_bytes_than_the_hub_states_are_refused(
    sent_on, hub, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    hub.content = CONTENT[:-1] + b"x"
    store = Behaviour(hub.content, etag='"of another kind"')
    with serving(store) as url, pytest.raises(DownloadError, match=SHA256) as error:
        if sent_on:
            hub.redirect, hub.linked_etag = f"{url}/bytes", hub.etag
        fetch_from_hub("timm/net.in1k", "model.safetensors", cache_dir=tmp_path)
    assert "not the file that was published" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_hub_that_states_no_digest(hub, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    hub.etag = '"0123456789"'
    path = fetch_from_hub("timm/net.in1k", "model.safetensors")
    assert path.parent == tmp_path / "models" / "keras_regnet" / "hub"
    assert path.read_bytes() == CONTENT


def test_the_hub_with_its_library(hub, tmp_path):
    pytest.importorskip("huggingface_hub")
    arguments = {"cache_dir": tmp_path, "sha256": SHA256}
    path = fetch_from_hub("timm/net.in1k", "model.safetensors", **arguments)
    assert path.name == "model.safetensors"
    assert path.read_bytes() == CONTENT
    assert ("HEAD", None) in hub.requests  # the library's way
    hub.requests.clear()
    assert path == fetch_from_hub("timm/net.in1k", "model.safetensors", **arguments)
    assert hub.requests == []


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_refusals_are_named_and_leave_the_library_s_cache_alone(sha256, hub, tmp_path):
    pytest.importorskip("huggingface_hub")
    hub.content = CONTENT[:-1] + b"x"
    for _ in range(2):  # downloaded, and found in the cache
        with pytest.raises(DownloadError, match="not the file that was published"):
            fetch_from_hub(
                "timm/net.in1k", "model.safetensors", cache_dir=tmp_path, sha256=sha256
            )
    # Other programs use that cache: the link and what it leads to stay.
    (link,) = tmp_path.rglob("model.safetensors")
    assert link.read_bytes() == hub.content
    hub.statuses = [404] * 20
    with pytest.raises(DownloadError, match=r"Received: http.*/timm/none/resolve/main"):
        fetch_from_hub("timm/none", "model.safetensors", cache_dir=tmp_path)


@pytest.mark.parametrize("repo_id", ["net", "a/b/c", "../net", "timm/", ""])
def test_a_hub_id_is_owner_and_model(repo_id):
    with pytest.raises(ValueError, match=r"owner/model|without a folder"):
        fetch_from_hub(repo_id, "model.safetensors")
