"""Loads a published model in every way and prints what each gives for the sample.

A program of its own, so that nothing of the tests' process helps: its arguments are the
model's folders; it prints a line of JSON for each, ways to differences.
"""

import functools
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def differences(path: Path) -> dict[str, float]:
    known = json.loads((path / "metadata.json").read_text())
    sample = known["sample"]
    pixels = np.random.RandomState(sample["seed"]).randint(0, 256, sample["shape"])
    pixels = pixels.astype("float32")
    answers = np.array(sample["outputs"])
    shares = np.exp(answers) / np.exp(answers).sum(-1, keepdims=True)
    found = {}

    # With TensorFlow and Keras alone.
    loaded = tf.saved_model.load(str(path))
    found["call"] = loaded(pixels / 255, training=False), answers
    features = loaded.feature_vector(pixels / 255)
    for name in ("serve", "native_serve"):
        layer = keras.layers.TFSMLayer(str(path), call_endpoint=name)
        found[f"TFSMLayer {name}"] = layer(pixels), shares
        layer = keras.layers.TFSMLayer(str(path), call_endpoint=f"{name}_features")
        found[f"TFSMLayer {name}_features"] = layer(pixels), features
    for name in ("serve", "fast_serve"):
        outputs = loaded.signatures[name](images=tf.constant(pixels))
        found[f"signature {name}"] = outputs["logits"], answers
    for name in ("serve_pixels", "fast_serve_pixels"):
        outputs = loaded.signatures[name](images=tf.constant(pixels, tf.uint8))
        found[f"signature {name}"] = outputs["logits"], answers
    files = [tf.io.encode_png(image) for image in tf.constant(pixels, tf.uint8)]
    for name in ("serving_default", "fast_serving"):
        outputs = loaded.signatures[name](image_bytes=tf.stack(files))
        found[f"signature {name}"] = outputs["probabilities"], shares
    return {
        way: float(np.abs(np.asarray(given) - expected).max() / np.abs(expected).max())
        for way, (given, expected) in found.items()
    }


def differences_with_the_package(path: Path) -> dict[str, float]:
    import keras_regnet

    known = keras_regnet.publishing.read_metadata(path)
    from keras_regnet.publishing.publication import sample_images

    pixels = sample_images(known)
    answers = np.array(known.sample["outputs"])
    shares = np.exp(answers) / np.exp(answers).sum(-1, keepdims=True)
    model = keras_regnet.load_published(path, include_top=True)
    head = keras.Model(model.input, model.get_layer("head_fc").output)
    body = keras_regnet.load_published(path)
    layer = keras_regnet.layers.SavedModelBackbone(path)
    file = keras.saving.load_model(path / "model.keras")
    by_name = keras_regnet.load_published(
        known.name, include_top=True, directory=path.parents[1]
    )
    found = {
        "load_published": (head(pixels), answers),
        "load_published by name": (by_name(pixels), shares),
        "load_model": (file(pixels), shares),
        "SavedModelBackbone": (layer(pixels), body(pixels)),
    }
    return {
        way: float(
            np.abs(np.asarray(given) - expected).max()
            / np.abs(np.asarray(expected)).max()
        )
        for way, (given, expected) in found.items()
    }


if __name__ == "__main__":
    # A SavedModel is read once and not again by every layer.
    tf.saved_model.load = functools.cache(tf.saved_model.load)
    paths = [Path(argument) for argument in sys.argv[1:]]
    alone = [differences(path) for path in paths]
    assert "keras_regnet" not in sys.modules
    for path, found in zip(paths, alone, strict=True):
        print(json.dumps(found | differences_with_the_package(path)))
