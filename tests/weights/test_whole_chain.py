"""From a server to a network, and from files of pictures to classes: every step."""

import functools
import http.server
import sys
import threading

import numpy as np
import pytest

import keras_regnet
from keras_regnet import weights
from keras_regnet.weights import to_timm_state_dict
from keras_regnet.weights.download import DownloadError
from tests.torch_peer import logits, random_timm_model
from tests.weights.files import (
    photographs,
    prepared_by_timm,
    randomise_statistics,
    write_safetensors,
)

safetensors = pytest.importorskip("safetensors.numpy")


def test_a_hub_a_cache_and_a_network(tmp_path, monkeypatch):
    source = keras_regnet.RegNetX("200MF", input_shape=(64, 64, 3))
    place = tmp_path / "hub/timm/regnetx_002.pycls_in1k/resolve/main"
    place.mkdir(parents=True)
    safetensors.save_file(
        to_timm_state_dict(source, "numpy"), place / "model.safetensors"
    )
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path / "hub"
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    options = {"cache_dir": tmp_path / "cache", "progress": False}
    try:
        read = weights.read("imagenet", architecture="RegNetX-200MF", **options)
        with pytest.raises(DownloadError, match=r"regnetx_004\.pycls_in1k"):
            weights.read("imagenet", architecture="RegNetX-400MF", **options)
    finally:
        server.shutdown()
        server.server_close()
    # A second time without the server: from the cache.
    again = weights.read("imagenet", architecture="RegNetX-200MF", **options)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = source((pixels / 255 - mean) / std)
    for each in (read, again):
        model = keras_regnet.RegNetX(
            "200MF", weights=each, input_shape=(64, 64, 3), include_preprocessing=True
        )
        np.testing.assert_allclose(model(pixels), expected, rtol=1e-4, atol=1e-7)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [read.path.name]


@pytest.mark.peers
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "every"),
    [("regnetx_002", 5), pytest.param("regnety_002", 1, marks=pytest.mark.slow)],
)
def test_from_pictures_to_the_top_five(name, every, tmp_path):
    """Pixels, network and weights at once, for every so many of the photographs."""
    pictures = photographs(None)[::every]
    assert 0 < sum(picture.mode == "L" for picture in pictures) < len(pictures)
    theirs = random_timm_model(name)
    images = prepared_by_timm(theirs, pictures)
    randomise_statistics(theirs, images[:4])
    expected = logits(theirs, images)
    model = keras_regnet.RegNet(
        name,
        weights=write_safetensors(theirs, tmp_path / "model.safetensors"),
        preprocessing=weights.find(f"timm/{name}.pycls_in1k").preprocessing,
        include_preprocessing=True,
        classifier_activation=None,
    )
    prepare = keras_regnet.preprocessing_for(model)
    layer = prepare.layer()
    ways = {
        "Pillow": [prepare(picture) for picture in pictures],
        "layer": [layer(np.asarray(p.convert("RGB"))) for p in pictures],
    }
    descending = -np.sort(-expected, axis=1)
    gaps = descending[:, 4] - descending[:, 5]
    for way, pixels in ways.items():
        ours = model.predict(np.stack(pixels), verbose=0)
        differences = np.abs(ours - expected).max(axis=1)
        decided = gaps > 2 * differences
        assert decided.sum() > 0.9 * len(pictures)
        five = [np.sort(np.argsort(-each, axis=1)[:, :5]) for each in (ours, expected)]
        np.testing.assert_array_equal(five[0][decided], five[1][decided])
        print(
            f"| {name} | {way} | {len(pictures)} | {decided.sum()} "
            f"| {differences.max() / np.abs(expected).max():.1e} |"
        )
        assert differences.max() < 1e-4 * np.abs(expected).max()
