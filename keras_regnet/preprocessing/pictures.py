"""Preprocessing with Pillow and numpy: the pixels that the weights were judged on."""

import os
from io import BytesIO
from typing import Any

import numpy as np

from keras_regnet.optional import require
from keras_regnet.preprocessing.specification import PreprocessingSpec

# An image this many times as long as wide is not resized beyond what is cut out of
# it: a strip of 1 x 5,000 pixels would become one of 256 x 1,280,000.
_STRIP = 16


def resize_and_crop(image: Any, specification: PreprocessingSpec) -> np.ndarray:
    """The middle of the resized image.

    Sizes are rounded as torchvision's `Resize` and `CenterCrop` do it: the longer side
    down, the crop's corner to the nearest pixel, halves to the even one.

    Args:
        image: A Pillow image of any mode, the path of an image file, or an array
            `(height, width)` or `(height, width, channels)` of 0 to 255; numbers that
            are not whole are rounded. 16 bits of a PNG or of Pillow's mode I;16 are
            scaled by 1/257. The orientation that a camera may have noted in a file is
            not looked at, as in timm and torchvision.
        specification: What to do.

    Returns:
        uint8 `(image_size, image_size, channels)`.

    Raises:
        ValueError: The image is none of that, or has other channels.
        OSError: The file is not there, or is no image.
        ImportError: Pillow is not installed.
    """
    pillow = require("PIL.Image", "weights")
    if isinstance(image, str | os.PathLike):
        with pillow.open(image) as opened:
            return resize_and_crop(_eight_bits(opened, image), specification)
    channels = specification.channels
    if isinstance(image, pillow.Image):
        planes = _planes_of_image(image, channels)
    else:
        planes = _planes_of_array(np.asarray(image), channels)
    kind = {
        "bilinear": pillow.Resampling.BILINEAR,
        "bicubic": pillow.Resampling.BICUBIC,
    }[specification.interpolation]
    cut = [np.asarray(_resize_and_crop(p, specification, kind)) for p in planes]
    return cut[0] if cut[0].ndim == 3 else np.stack(cut, axis=-1)


def read_picture(file: str | os.PathLike[str] | bytes, channels: int) -> Any:
    """An image file with the pixels that `keras_regnet.data.decode` gives it.

    Args:
        file: The path, or what is in it.
        channels: 1 or 3.

    Returns:
        A Pillow image of mode L or RGB.

    Raises:
        ValueError: Its numbers are none of 0 to 255 or 0 to 65,535.
        OSError: The file is not there, or is no image.
        ImportError: Pillow is not installed.
    """
    with _opened(file) as opened:
        image = _eight_bits(opened, file)
        if image.mode != ("RGB" if channels == 3 else "L"):
            (image,) = _planes_of_image(image, channels)
        image.load()
        return image


def _opened(file: Any) -> Any:
    pillow = require("PIL.Image", "weights")
    return pillow.open(BytesIO(file) if isinstance(file, bytes) else file)


def normalized(pixels: np.ndarray, specification: PreprocessingSpec) -> np.ndarray:
    """Scales and normalises `(..., channels)` of 0 to 255, in float32.

    The order of the operations is torchvision's, so that every bit is equal: division
    by 255, subtraction of the mean, division by the standard deviation.
    """
    values = pixels.astype(np.float32) / np.float32(255)
    values -= np.asarray(specification.mean, np.float32)
    values /= np.asarray(specification.std, np.float32)
    if specification.channel_order == "bgr":
        values = np.ascontiguousarray(values[..., ::-1])
    return values


def _resize_and_crop(image: Any, specification: PreprocessingSpec, kind: Any) -> Any:
    crop, shorter = specification.image_size, specification.resize_size
    least = min(image.size)
    width, height = (shorter * side // least for side in image.size)
    # Python's round takes halves to the even number, as torchvision does.
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    if max(image.size) > _STRIP * least:
        across = [side * image.width / width for side in (left, left + crop)]
        box = (across[0], 0, across[1], image.height)
        image = image.resize((crop, image.height), kind, box=box)
        down = [side * image.height / height for side in (top, top + crop)]
        return image.resize((crop, crop), kind, box=(0, down[0], crop, down[1]))
    image = image.resize((width, height), kind)
    return image.crop((left, top, left + crop, top + crop))


def _planes_of_image(image: Any, channels: int) -> list[Any]:
    if channels not in (1, 3):
        planes = image.split()
        if len(planes) != channels:
            raise ValueError(
                f"The image must have {channels} channels, as the specification's mean "
                f"and std. Received: an image of mode {image.mode}"
            )
        return list(planes)
    pillow = require("PIL.Image", "weights")
    # Pillow's own conversion of 16 bits makes all but the darkest 255 values white.
    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
        image = pillow.fromarray(_from_sixteen(np.asarray(image)))
    elif image.mode in ("I", "F"):
        return _planes_of_array(np.asarray(image), channels)
    elif image.mode == "CMYK":
        image = pillow.fromarray(_mixed(image))
    image = image.convert("RGB")
    return [image if channels == 3 else image.convert("L")]


def _eight_bits(image: Any, file: Any) -> Any:
    """The image of an opened file; a PNG of 16 bits in several channels scaled to 8.

    Pillow reads the upper bytes of those alone. The same data read as if the lower byte
    came first gives the others.
    """
    lower = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
    tile = image.tile[0] if image.format == "PNG" and image.tile else (None,) * 4
    if tile[3] not in lower or (tile[3] == "LA;16B" and image.mode != "RGBA"):
        return image
    pillow = require("PIL.Image", "weights")
    with _opened(file) as again:
        again.tile = [(*tile[:3], lower[tile[3]])]
        low = np.asarray(again)[..., :3]
    high = np.asarray(image)[..., :3]
    if tile[3] == "LA;16B":  # of which the first two bytes of four are the grey
        high, low = low[..., :1].repeat(3, -1), low[..., 1:2].repeat(3, -1)
    return pillow.fromarray(_from_sixteen(high * np.uint32(256) + low))


def _from_sixteen(array: np.ndarray) -> np.ndarray:
    """0 to 65,535 scaled to 0 to 255 and rounded, uint8."""
    return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _mixed(image: Any) -> np.ndarray:
    """Red, green and blue of CMYK, as TensorFlow mixes them; Pillow's differ by 1.

    Pillow takes every JPEG's inks for inverted, as Adobe's are; others are not.
    """
    light = 255 - np.asarray(image).astype(np.int32)
    if image.format == "JPEG" and "adobe" not in image.info:
        light = 255 - light
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _planes_of_array(array: np.ndarray, channels: int) -> list[Any]:
    """Pillow images to resize: one of colours, or one for each channel."""
    pillow = require("PIL.Image", "weights")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape or array.shape[-1] not in (1, channels):
        raise ValueError(
            "An image must be a Pillow image, a path, or an array (height, width) or "
            f"(height, width, {channels}). Received: an array of shape {array.shape} "
            f"and dtype {array.dtype}"
        )
    array = np.broadcast_to(_whole(array), (*array.shape[:2], channels))
    if channels == 3:
        return [pillow.fromarray(np.ascontiguousarray(array))]
    return [
        pillow.fromarray(np.ascontiguousarray(array[..., i])) for i in range(channels)
    ]


def _whole(array: np.ndarray) -> np.ndarray:
    """Pixels as uint8, if they are numbers of 0 to 255."""
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"Pixels must be numbers. Received: dtype {array.dtype}")
    least, most = array.min(), array.max()
    rounded = np.rint(array)
    fractions = most <= 1 and not np.array_equal(rounded, array)
    if fractions or not (least >= 0 and most <= 255):
        raise ValueError(
            "Pixels must be numbers of 0 to 255, not of 0 to 1. Received: numbers of "
            f"{least} to {most}"
        )
    return rounded.astype(np.uint8)
