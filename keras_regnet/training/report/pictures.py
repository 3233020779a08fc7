"""The contact sheet of the worst mistakes, its images within the page."""

import base64
import io
import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import keras
import numpy as np

from keras_regnet.optional import require
from keras_regnet.training.mistakes import Mistake
from keras_regnet.training.report.html import element, figure, section
from keras_regnet.training.report.wording import probability

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

_LARGEST = 224  # pixels of a picture's longer side
_SMALL = 64  # up to here pixels are shown as squares, and kept exactly
_QUALITY = 85


def mistakes_section(
    mistakes: Sequence[Mistake], names: Sequence[str]
) -> ET.Element | None:
    """The mistakes as pictures, the most confident first; None without any."""
    if not mistakes:
        return None
    files = [mistake.name for mistake in mistakes if mistake.name]
    folder = os.path.commonpath(map(os.path.dirname, files)) if files else ""
    where = (f" Files are below {folder}.",) if folder else None
    return section(
        "mistakes",
        "Worst mistakes",
        element(
            "p",
            f"The {len(mistakes)} wrong answers of greatest probability among the "
            "validation images, as the network saw them.",
            where,
        ),
        element("div", (_card(m, names, folder) for m in mistakes), class_="sheet"),
    )


def data_uri(image: np.ndarray) -> str:
    """An image as an address that contains it.

    Small ones exactly, as PNG; large ones reduced, as JPEG. An image that is neither
    grey nor of three colours shows its first channel.

    Args:
        image: uint8 `[height, width, channels]`.
    """
    if image.shape[-1] not in (1, 3):
        image = image[..., :1]
    longer = max(image.shape[:2])
    kind = "png" if longer <= _SMALL else "jpeg"
    size = None
    if longer > _LARGEST:
        size = [max(1, round(n * _LARGEST / longer)) for n in image.shape[:2]]
    encode = _encode if keras.backend.backend() == "tensorflow" else _encode_by_pillow
    encoded = base64.b64encode(encode(image, kind, size)).decode()
    return f"data:image/{kind};base64,{encoded}"


def _encode(image: np.ndarray, kind: str, size: list[int] | None) -> bytes:
    with tf.device("/CPU:0"):
        if size is not None:
            image = tf.image.resize(image, size, antialias=True)
            image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
        if kind == "png":
            return tf.io.encode_png(image).numpy()
        return tf.io.encode_jpeg(image, quality=_QUALITY).numpy()


def _encode_by_pillow(image: np.ndarray, kind: str, size: list[int] | None) -> bytes:
    pillow = require("PIL.Image", "weights")
    image = pillow.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if size is not None:
        image = image.resize(size[::-1], pillow.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, kind, **({"quality": _QUALITY} if kind == "jpeg" else {}))
    return file.getvalue()


def _card(mistake: Mistake, names: Sequence[str], folder: str) -> ET.Element:
    label, answer = names[mistake.label], names[mistake.prediction]
    height, width = mistake.image.shape[:2]
    name = f"image {mistake.index + 1}"
    if mistake.name:
        name = os.path.relpath(mistake.name, folder) if folder else mistake.name
    picture = element(
        "img",
        src=data_uri(mistake.image),
        alt=f"{name}: {label}, taken for {answer}",
        width=width,
        height=height,
        class_="pixels" if max(height, width) <= _SMALL else None,
    )
    sure = probability(mistake.probability)
    unsure = probability(mistake.label_probability)
    caption = (
        element("span", f"answer: {answer} {sure}", class_="wrong"),
        element("span", f"true: {label} {unsure}"),
        element("span", name, class_="file"),
    )
    return figure(picture, caption)
