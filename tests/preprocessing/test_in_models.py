"""The specification in models: kept through all that happens to a model."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_regnet.preprocessing import (
    ImagePreprocessing,
    PixelNormalization,
    PreprocessingSpec,
    normalization_layer,
    preprocessing_for,
)
from keras_regnet.weights.preprocessing import preprocessing_for as by_name
from tests.small_networks import tiny

SPEC = PreprocessingSpec(32, 40, "bicubic", (0.4, 0.5, 0.6), (0.1, 0.2, 0.3))


def network(applied, specification=SPEC, shape=(32, 32, 3), dtype=None):
    inputs = keras.Input(shape)
    x = PixelNormalization(specification, applied)(inputs)
    x = keras.layers.Conv2D(4, 3, name="conv", dtype=dtype)(x)
    outputs = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, outputs, name="net")


def saved(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


WAYS = {
    "as built": lambda model, _: model,
    "saved and loaded": saved,
    "cloned": lambda model, _: keras.models.clone_model(model),
    "from its configuration": lambda model, _: keras.Model.from_config(
        model.get_config()
    ),
    "cut": lambda model, _: keras.Model(model.input, model.get_layer("conv").output),
    "inside another": lambda model, _: keras.Sequential(
        [keras.Input((32, 32, 3)), model, keras.layers.Dense(2)]
    ),
    "inside another, saved": lambda model, path: saved(
        WAYS["inside another"](model, path), path
    ),
}


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_kept(way, applied, tmp_path):
    model = WAYS[way](network(applied), tmp_path)
    found = preprocessing_for(model)
    assert found.specification == SPEC
    assert found.normalize is not applied
    assert preprocessing_for(model, normalize=True).normalize


@pytest.mark.parametrize("shape", [(32, 20, 3), (None, None, 3), (None, 20, 3)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_by_rows_it_gives_the_same_numbers(shape, order):
    specification = dataclasses.replace(SPEC, channel_order=order)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 20, 3))
    outputs = []
    for by_rows in (False, True):
        layer = PixelNormalization(specification)
        layer.by_rows = by_rows
        inputs = keras.Input(shape)
        model = keras.Model(inputs, layer(inputs))
        assert model.output_shape == (None, *shape)
        outputs.append(model.predict(images, verbose=0))
    expected = (images / 255 - SPEC.mean) / SPEC.std
    expected = expected[..., ::-1] if order == "bgr" else expected
    np.testing.assert_allclose(outputs[1], expected, atol=1e-5)
    np.testing.assert_array_equal(*outputs)


def test_it_is_applied_or_passes_the_images():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    expected = (pixels / 255 - SPEC.mean) / SPEC.std
    full, bare = network(True), network(False)
    bare.set_weights(full.get_weights())
    np.testing.assert_allclose(full(pixels), bare(expected), rtol=1e-4, atol=1e-5)
    layer = PixelNormalization(SPEC, applied=False)
    for dtype in ("float32", "float64", "float16"):
        passed = layer(keras.ops.cast(pixels, dtype))
        assert keras.backend.standardize_dtype(passed.dtype) == dtype
        np.testing.assert_array_equal(passed, pixels.astype(dtype))


def test_it_is_what_the_layer_of_earlier_versions_did():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), "uint8")
    old = normalization_layer(SPEC.mean, SPEC.std)
    np.testing.assert_allclose(
        PixelNormalization(SPEC)(pixels), old(pixels), rtol=1e-6, atol=1e-6
    )


def test_pixels_stay_in_float32_in_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = PixelNormalization(SPEC)
        assert layer.compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    assert layer(np.zeros((1, 2, 2, 3), "uint8")).dtype == "float32"


def test_the_whole_chain_gives_the_same_outputs_either_way(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (70, 50, 3), "uint8")
    full, bare = network(True), network(False)
    bare.set_weights(full.get_weights())
    outputs = [
        model(keras.ops.expand_dims(one, 0))
        for model in (full, bare)
        for one in (
            preprocessing_for(model)(image),
            preprocessing_for(model).layer()(image),
        )
    ]
    for other in outputs[1:]:
        np.testing.assert_allclose(outputs[0], other, rtol=1e-4, atol=1e-4)


def test_the_crop_has_the_size_of_the_model_s_images():
    found = preprocessing_for(network(True, shape=(64, 64, 3)))
    assert (found.specification.image_size, found.specification.resize_size) == (64, 80)
    found = preprocessing_for(network(True, shape=(None, None, 3)))
    assert found.specification == SPEC
    with pytest.raises(ValueError, match=r"square images.*\(None, 32, 64, 3\)"):
        preprocessing_for(network(True, shape=(32, 64, 3)))


def test_models_that_do_not_know_it_are_refused():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match=r"PreprocessingSpec instead.*'sequential"):
        preprocessing_for(model)
    whole = keras.Sequential(
        [keras.Input((None, None, 3)), ImagePreprocessing(SPEC, False), network(True)]
    )
    with pytest.raises(ValueError, match="resizes and crops its images itself"):
        preprocessing_for(whole)
    for wrong in (None, 3, {"image_size": 3}):
        with pytest.raises(ValueError, match="Received: "):
            preprocessing_for(wrong)


def test_by_specification_and_by_name():
    assert preprocessing_for(SPEC).specification is SPEC
    assert by_name(SPEC).normalize
    assert not by_name(SPEC, normalize=False).normalize
    # torchvision's RegNet_Y_3_2GF_Weights.IMAGENET1K_V2: 232, 224, bilinear.
    found = by_name("tv2_in1k", model="RegNetY-3.2GF").specification
    assert found.resize_size == 232
    assert by_name("timm/regnety_032.ra_in1k").specification.interpolation == "bicubic"
    with pytest.raises(ValueError, match="no such weights"):
        by_name("timm/none")


def test_images_with_other_channels_are_refused():
    with pytest.raises(ValueError, match="3 channels"):
        network(True, shape=(32, 32, 1))
    with pytest.raises(ValueError, match="to_dict"):
        PixelNormalization("imagenet")


def test_networks_of_this_package_keep_it(tmp_path):
    model = tiny(include_preprocessing=True, preprocessing=SPEC)
    assert preprocessing_for(saved(model, tmp_path)).specification == SPEC
