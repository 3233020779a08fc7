"""Pillow's twin and the Keras layer, on small pictures made here."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_regnet.preprocessing import (
    ImagePreprocessing,
    PreprocessingSpec,
    Preprocessor,
)

# Height and width: even, odd, high, smaller than the crop, one pixel, strips.
SIZES = [(40, 40), (31, 57), (90, 33), (7, 5), (1, 1), (200, 3), (3, 201), (28, 500)]
SPECS = [
    PreprocessingSpec(16, 20, "bilinear"),
    PreprocessingSpec(17, 20, "bicubic"),
    PreprocessingSpec(24, 24, "bicubic"),
    PreprocessingSpec(15, 33, "bilinear"),
]


def picture(height, width, channels=3):
    """Noise over a slope, so that edges, rounding and clipping matter."""
    noise = np.random.default_rng(0).integers(-90, 90, (height, width, channels))
    slope = np.linspace(0, 255, width)[None, :, None]
    return np.clip(noise + slope, 0, 255).astype("uint8")


def by_hand(array, spec, at_once=True):
    """Pillow's resize of the whole image, and the crop in plain arithmetic."""
    height, width = array.shape[:2]
    short = min(height, width)
    new = [int(spec.resize_size * side / short) for side in (width, height)]
    kind = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    kind = kind[spec.interpolation]
    resized = Image.fromarray(array)
    if not at_once:
        resized = resized.resize((new[0], height), kind)
    resized = resized.resize(new, kind)
    left, top = (round((side - spec.image_size) / 2) for side in new)
    return np.asarray(resized)[
        top : top + spec.image_size, left : left + spec.image_size
    ]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", SIZES)
def test_the_pixels_are_pillow_s(size, spec):
    array = picture(*size)
    prepare = Preprocessor(spec, normalize=False)
    pillow = prepare(array)
    layer = prepare.layer()(array)
    assert pillow.dtype == np.float32
    assert keras.backend.standardize_dtype(layer.dtype) == "float32"
    # Across and then down, whatever order Pillow would take for a high image.
    np.testing.assert_array_equal(layer, by_hand(array, spec, at_once=False))
    # Pillow knows parts of pixels in float32 only, where it is spared a long strip.
    strip = max(size) > 16 * min(size)
    np.testing.assert_allclose(pillow, by_hand(array, spec), atol=1 if strip else 0)


def test_two_pixels_grow_to_four_as_the_kernels_say():
    """Weights of centres at -1/4, 1/4, 3/4, 5/4 between pixels at 0 and 1."""
    array = np.array([[[0], [200]]], "uint8").repeat(2, 0)
    for kind, row in {
        "bilinear": [0, 50, 150, 200],
        # Keys with a = -1/2: weights at 1/4 and 3/4 are 0.8671875 and 0.2265625, at 5/4
        # -0.0703125; over their sums, since no pixel is beyond the edge.
        "bicubic": [-17, 41.4, 158.6, 200 * 0.8671875 / 0.796875],
    }.items():
        spec = PreprocessingSpec(4, 4, kind, (0.5,), (0.5,))
        expected = np.tile(np.clip(np.floor(np.array(row) + 0.5), 0, 255), (4, 1))
        for prepared in (
            Preprocessor(spec, False)(array),
            Preprocessor(spec, False).layer()(array),
        ):
            np.testing.assert_array_equal(np.asarray(prepared)[..., 0], expected)


def test_halves_of_the_crop_go_to_the_even_pixel():
    """Without resizing: 20 x 23 to 20 leaves 1.5 pixels on the left, 20 x 25 2.5."""
    spec = PreprocessingSpec(20, 20)
    for width, left in ((21, 0), (23, 2), (25, 2), (27, 4)):
        array = picture(20, width)
        expected = array[:, left : left + 20]
        np.testing.assert_array_equal(Preprocessor(spec, False)(array), expected)
        np.testing.assert_array_equal(ImagePreprocessing(spec, False)(array), expected)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_scaling_and_normalising(order):
    spec = PreprocessingSpec(
        8, 8, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3), channel_order=order
    )
    array = picture(8, 8)
    expected = (array / 255 - spec.mean) / spec.std
    if order == "bgr":
        expected = expected[..., ::-1]
    prepare = Preprocessor(spec)
    for prepared in (prepare(array), prepare.layer()(array)):
        np.testing.assert_allclose(prepared, expected, rtol=1e-5, atol=1e-5)
        assert prepared.dtype == np.float32


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_images_of_every_mode_become_colours(mode, tmp_path):
    image = Image.fromarray(picture(30, 40)).convert(mode)
    prepare = Preprocessor(SPECS[0], normalize=False)
    expected = by_hand(np.asarray(image.convert("RGB")), SPECS[0])
    np.testing.assert_array_equal(prepare(image), expected)
    if mode != "YCbCr":
        path = tmp_path / "image.tiff"
        image.save(path)
        np.testing.assert_array_equal(prepare(path), expected)
        np.testing.assert_array_equal(prepare(str(path)), expected)


def test_grey_arrays_and_other_channels():
    grey = picture(30, 40, 1)
    colours = Preprocessor(SPECS[0], normalize=False)
    expected = by_hand(grey.repeat(3, -1), SPECS[0])
    np.testing.assert_array_equal(colours(grey), expected)
    np.testing.assert_array_equal(colours(grey[..., 0]), expected)
    for channels in (1, 2, 4):
        spec = SPECS[0].for_channels(channels)
        array = picture(30, 40, channels)
        expected = np.stack(
            [by_hand(array[..., i], spec) for i in range(channels)], axis=-1
        )
        prepare = Preprocessor(spec, normalize=False)
        np.testing.assert_array_equal(prepare(array), expected)
        np.testing.assert_array_equal(prepare.layer()(array), expected)
    image = Image.fromarray(picture(30, 40))
    one = Preprocessor(SPECS[0].for_channels(1), False)(image)
    np.testing.assert_array_equal(
        one[..., 0], by_hand(np.asarray(image.convert("L")), SPECS[0])
    )


def test_numbers_of_other_types_are_rounded_to_pixels():
    array = picture(30, 40)
    prepare = Preprocessor(SPECS[1])
    expected, layer = prepare(array), prepare.layer()
    for dtype in ("int64", "float32", "float64", "uint16"):
        np.testing.assert_array_equal(prepare(array.astype(dtype)), expected)
    np.testing.assert_array_equal(prepare(np.clip(array + 0.3, 0, 255)), expected)
    np.testing.assert_array_equal(layer(array + 0.3), layer(array))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 2), "uint8"), r"an array of shape \(4, 4, 2\)"),
        (np.zeros((2, 4, 4, 3), "uint8"), r"\(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), "uint8"), r"\(0, 4, 3\)"),
        (np.full((4, 4, 3), 256), "0 to 255.*256"),
        (np.full((4, 4, 3), -1.0), "0 to 255.*-1.0"),
        (np.full((4, 4, 3), np.nan), "0 to 255.*nan"),
        (np.full((4, 4, 3), 0.4), "not of 0 to 1.*0.4"),
        (np.full((4, 4, 3), "a"), "numbers.*dtype"),
        (None, "Pillow image, a path, or an array"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        Preprocessor(SPECS[0])(image)


def test_files_that_are_no_images_are_refused(tmp_path):
    path = tmp_path / "cat.jpg"
    with pytest.raises(OSError, match=r"cat\.jpg"):
        Preprocessor(SPECS[0])(path)
    path.write_bytes(b"no image")
    with pytest.raises(OSError, match=r"cat\.jpg"):
        Preprocessor(SPECS[0])(path)
    with pytest.raises(ValueError, match=r"4 channels.*mode RGB"):
        Preprocessor(SPECS[0].for_channels(4))(Image.new("RGB", (4, 4)))


def test_batches_are_what_single_images_are():
    layer = ImagePreprocessing(SPECS[1])
    images = np.stack([picture(30, 41), 255 - picture(30, 41)])
    batch = layer(images)
    assert batch.shape == (2, 17, 17, 3)
    for one, image in zip(batch, images, strict=True):
        np.testing.assert_array_equal(one, layer(image))


def test_the_layer_in_a_pipeline_with_images_of_many_sizes():
    layer = ImagePreprocessing(SPECS[2])
    images = [picture(*size) for size in SIZES]
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(images), output_signature=tf.TensorSpec((None, None, 3), tf.uint8)
    )
    dataset = dataset.map(layer).batch(2)
    assert dataset.element_spec.shape[1:] == (24, 24, 3)
    prepared = np.concatenate([batch.numpy() for batch in dataset])
    for one, image in zip(prepared, images, strict=True):
        np.testing.assert_allclose(one, layer(image), rtol=1e-6, atol=1e-6)


def test_the_layer_in_a_model_that_is_saved_and_exported(tmp_path):
    inputs = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(inputs, ImagePreprocessing(SPECS[1], name="prepare")(inputs))
    assert model.output_shape == (None, 17, 17, 3)
    images = picture(50, 31)[None]
    expected = model(images)
    np.testing.assert_allclose(
        expected[0], Preprocessor(SPECS[1])(images[0]), rtol=1e-5, atol=1e-6
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_layer("prepare").specification == SPECS[1]
    np.testing.assert_array_equal(again(images), expected)
    model.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported").serve(images)
    np.testing.assert_allclose(served, expected, rtol=1e-6, atol=1e-6)


def test_the_layer_compiled_by_xla():
    layer = ImagePreprocessing(SPECS[1], normalize=False)
    compiled = tf.function(layer, jit_compile=True)
    images = picture(33, 64)[None]
    np.testing.assert_array_equal(compiled(tf.constant(images)), layer(images))


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1), (1, 1, 4, 4, 3), (2, 4, 4, 4)])
def test_the_layer_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="Images must be"):
        ImagePreprocessing(SPECS[0])(np.zeros(shape, "uint8"))


def test_the_layer_refuses_ragged_batches():
    images = tf.ragged.stack([picture(5, 5), picture(6, 6)])
    with pytest.raises(ValueError, match="one size"):
        ImagePreprocessing(SPECS[0])(images)
