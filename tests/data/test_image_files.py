"""Image files of all kinds have the same pixels wherever they are read."""

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data import DataConfig, ImageReader, decode, load
from keras_regnet.data.orientation import orientation
from keras_regnet.preprocessing import PreprocessingSpec, preprocessing_for
from keras_regnet.preprocessing.pictures import read_picture

pillow = pytest.importorskip("PIL.Image")

SIDE = 32
_RANDOM = np.random.RandomState(0)
COLOURS = np.asarray(
    pillow.fromarray(_RANDOM.randint(0, 256, (8, 8, 3)).astype(np.uint8)).resize(
        (SIDE, SIDE), pillow.Resampling.BICUBIC
    )
)
ALPHA = np.dstack((COLOURS, np.full((SIDE, SIDE), 90, np.uint8)))
SIXTEEN = _RANDOM.randint(0, 65536, (SIDE, SIDE, 4)).astype(np.uint16)
INKS = _RANDOM.randint(0, 256, (SIDE, SIDE, 4)).astype(np.uint8)
GREY = COLOURS[..., :1].repeat(3, -1)


def scaled(values):
    """16 bits by 1/257, three channels."""
    values = np.rint(values / 257).astype(np.uint8)
    return values if values.shape[-1] == 3 else values[..., :1].repeat(3, -1)


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned():
    exif = pillow.Exif()
    exif[274] = 6
    return exif


def palette(colours, kind, **options):
    image = pillow.fromarray(COLOURS).quantize(colours)
    return encode(image, kind, **options), np.asarray(image.convert("RGB"))


def png16(channels):
    return tf.io.encode_png(SIXTEEN[..., :channels]).numpy()


_rgb, _rgba = pillow.fromarray(COLOURS), pillow.fromarray(ALPHA)
_small = _rgb.convert("1")
KINDS = {  # name: the file, and its pixels (None: as Pillow has them)
    "grey16.png": (png16(1), scaled(SIXTEEN[..., :1])),
    "grey_alpha16.png": (png16(2), scaled(SIXTEEN[..., :1])),
    "rgb16.png": (png16(3), scaled(SIXTEEN[..., :3])),
    "rgba16.png": (png16(4), scaled(SIXTEEN[..., :3])),
    "pillow16.png": (
        encode(pillow.fromarray(COLOURS[..., 0].astype(np.uint16) * 257), "PNG"),
        GREY,
    ),
    "palette.png": palette(64, "PNG"),
    "palette4.png": palette(16, "PNG", bits=4),
    "palette_clear.png": palette(64, "PNG", transparency=3),
    "grey_alpha.png": (encode(_rgba.convert("LA"), "PNG"), None),
    "alpha.png": (encode(_rgba, "PNG"), COLOURS),
    "one.png": (encode(_small, "PNG"), None),
    "palette.bmp": palette(64, "BMP"),
    "palette16.bmp": palette(16, "BMP"),
    "grey.bmp": (encode(_rgb.convert("L"), "BMP"), None),
    "one.bmp": (encode(_small, "BMP"), None),
    "alpha.bmp": (encode(_rgba, "BMP"), COLOURS),
    "plain.bmp": (encode(_rgb, "BMP"), COLOURS),
    "plain.gif": (encode(_rgb, "GIF"), None),
    "alpha.webp": (encode(_rgba, "WEBP", lossless=True, exact=True), COLOURS),
    "alpha_lossy.webp": (encode(_rgba, "WEBP"), None),
    "plain.webp": (encode(_rgb, "WEBP", lossless=True), COLOURS),
    "plain.jpg": (encode(_rgb, "JPEG", quality=95), None),
    "grey.jpg": (encode(_rgb.convert("L"), "JPEG"), None),
    "turned.jpg": (encode(_rgb, "JPEG", exif=turned()), None),
    "cmyk.jpg": (encode(pillow.fromarray(INKS, "CMYK"), "JPEG"), None),
}


@pytest.fixture(params=KINDS)
def file(request, tmp_path):
    """The path of a file, and its pixels; of CMYK within 1 only."""
    encoded, pixels = KINDS[request.param]
    path = tmp_path / request.param
    path.write_bytes(encoded)
    if pixels is None:
        with pillow.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    return path, pixels


def test_decoding_and_pillow_agree(file):
    path, pixels = file
    found = decode(path.read_bytes()).numpy()
    atol = 1 if "cmyk" in path.name else 0
    np.testing.assert_allclose(found.astype(int), pixels, rtol=0, atol=atol)
    grey = np.asarray(pillow.fromarray(found).convert("L"))
    np.testing.assert_array_equal(decode(path.read_bytes(), 1)[..., 0], grey)
    spec = PreprocessingSpec(SIDE, SIDE)
    prepare = preprocessing_for(spec, normalize=False)
    np.testing.assert_array_equal(prepare(path), found)
    np.testing.assert_array_equal(prepare(str(path)), found)
    np.testing.assert_array_equal(prepare.layer()(found), found)
    for read in (path, path.read_bytes()):  # as data on an accelerator are read
        np.testing.assert_array_equal(read_picture(read, 3), found)
        np.testing.assert_array_equal(read_picture(read, 1), grey)
    one = preprocessing_for(spec.for_channels(1), normalize=False)
    np.testing.assert_array_equal(one(path)[..., 0], grey)


@pytest.mark.filterwarnings("ignore:.*orientation")
def test_training_evaluation_and_prediction_agree(tmp_path):
    """Of all kinds in one folder: to load it takes longer than to decode."""
    for name, (encoded, _) in KINDS.items():
        for copy in ("train/a", "train/b", "val/a", "val/b"):
            path = tmp_path / copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded)
    expected = {name: decode(encoded).numpy() for name, (encoded, _) in KINDS.items()}
    spec = PreprocessingSpec(SIDE, SIDE)
    for reader in (
        ImageReader("centre_crop", SIDE, SIDE, 3, crop_fraction=1.0),
        ImageReader("whole", SIDE, SIDE, 3),
        ImageReader("specification", SIDE, SIDE, 3, specification=spec),
    ):
        for name, (encoded, _) in KINDS.items():
            found = reader(tf.constant(encoded))
            np.testing.assert_array_equal(found, expected[name], name)
    whole = {"image_size": SIDE, "batch_size": 2 * len(KINDS), "crop_fraction": 1.0}
    data = load(DataConfig(str(tmp_path), augment="none", **whole))
    crops = {"crop_area": (1.0, 1.0), "crop_aspect": (1.0, 1.0), "flip": False}
    cropped = load(
        DataConfig(str(tmp_path), augment="random_resized_crop", **crops, **whole)
    )
    for dataset, paths in (
        (data.train(0), data.batch_names(0, 0)),
        (cropped.train(0), cropped.batch_names(0, 0)),
        (data.validation(), data.validation_names()),
    ):
        images, _ = next(iter(dataset))
        names = [Path(path).name for path in paths]
        assert sorted(names) == sorted([*KINDS, *KINDS])
        for name, image in zip(names, images, strict=True):
            np.testing.assert_array_equal(image, expected[name], name)


def test_pillow_images_of_sixteen_bits():
    image = pillow.fromarray(SIXTEEN[..., 0])
    prepare = preprocessing_for(PreprocessingSpec(SIDE, SIDE), normalize=False)
    np.testing.assert_array_equal(prepare(image), scaled(SIXTEEN[..., :1]))
    with pytest.raises(ValueError, match=r"0 to 255.*Received"):
        prepare(pillow.fromarray(SIXTEEN[..., 0].astype(np.int32)))
    with pytest.raises(ValueError, match="Received: images of dtype uint16"):
        prepare.layer()(SIXTEEN[..., :3])


def test_a_bmp_that_cannot_be_read_is_refused():
    whole = KINDS["palette.bmp"][0]
    compressed = bytearray(whole)
    compressed[30] = 1
    for encoded, message in (
        (bytes(compressed), "without compression"),
        (whole[:-200], "reshape|values"),
        (whole[:20], "without compression"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            decode(encoded)


def test_a_bmp_from_top_to_bottom():
    data = bytearray(KINDS["palette.bmp"][0])
    data[22:26] = (2**32 - SIDE).to_bytes(4, "little")
    np.testing.assert_array_equal(
        decode(bytes(data)), decode(KINDS["palette.bmp"][0])[::-1]
    )


def test_decoding_in_a_saved_graph(tmp_path):
    module = tf.Module()
    module.decode = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)])
    tf.saved_model.save(module, tmp_path)
    served = tf.saved_model.load(tmp_path)
    for encoded, _ in KINDS.values():
        np.testing.assert_array_equal(served.decode(encoded), decode(encoded))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_noted_orientations(kind):
    assert orientation(encode(_rgb, kind)) == 1
    encoded = encode(_rgb, kind, exif=turned())
    assert orientation(encoded) == 6
    for size in range(0, len(encoded), 7):
        assert orientation(encoded[:size]) in (1, 6)


def test_a_folder_says_how_many_images_are_turned(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(3):
            encoded = encode(_rgb, "JPEG", **({"exif": turned()} if index else {}))
            (tmp_path / name / f"{index}.jpg").write_bytes(encoded)
    with pytest.warns(UserWarning, match="4 of 6 images .* not applied"):
        load(DataConfig(str(tmp_path), image_size=8, batch_size=2))
