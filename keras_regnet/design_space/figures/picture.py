"""A picture: a figure, and what is to be seen in it."""

import dataclasses
import os
import re
import textwrap
from typing import Any

from keras_regnet.design_space.figures.look import INK
from keras_regnet.plots.canvas import save


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure of a study.

    Attributes:
        name: Of its file, without a suffix.
        title: Its heading.
        alt: What is to be seen, in words and numbers.
        figure: The `matplotlib.figure.Figure`, without the heading.
    """

    name: str
    title: str
    alt: str
    figure: Any


def write_picture(picture: Picture, path: str | os.PathLike[str]) -> None:
    """Writes a picture with its heading: an SVG if the path is called so, or a PNG."""
    figure = picture.figure
    if not figure.get_suptitle():  # not yet written
        # Laid out once: every drawing would move things a little, and the bytes of an
        # SVG depend on what was written before.
        letters = int(10 * figure.get_size_inches()[0])
        title = textwrap.fill(picture.title, letters)
        figure.suptitle(title, fontsize=11, color=INK)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    save(figure, (), path, None)


def file_name(*words: str) -> str:
    """Words as the name of a file: small letters, digits and `_`."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join(words).lower()).strip("_")
