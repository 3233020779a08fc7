"""Pictures of a data set, in rows and on contact sheets."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from keras_regnet.plots.canvas import new_figure, save


def plot_images(
    rows: Mapping[str, Sequence[np.ndarray]],
    path: str | os.PathLike[str],
    title: str | None = None,
) -> None:
    """Draws rows of small images, each with its name.

    Args:
        rows: Names, and images of shape (height, width, 3) or (height, width, 1),
            uint8; as many in each row.
        path: The PNG to write; or a JPEG, if it is called so.
        title: A heading, or None.

    Raises:
        ValueError: There is nothing to draw, or the rows are not equally long.
        ImportError: matplotlib is missing.
    """
    lengths = {name: len(images) for name, images in rows.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ValueError(
            "`rows` must have images, as many in each row. "
            f"Received: {lengths or rows!r}"
        )
    columns = next(iter(lengths.values()))
    figure, axes = new_figure(1.6 + 0.9 * columns, 0.92 * len(rows), columns, len(rows))
    for (name, images), row in zip(rows.items(), np.atleast_2d(axes), strict=True):
        for image, cell in zip(images, row, strict=True):
            cell.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            cell.set_axis_off()
        row[0].text(
            -0.06,
            0.5,
            name,
            transform=row[0].transAxes,
            ha="right",
            va="center",
            fontsize=8,
        )
    save(figure, axes, path, title)


def plot_contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[Sequence[str]],
    path: str | os.PathLike[str],
    title: str | None = None,
    columns: int = 6,
) -> None:
    """Draws pictures of any sizes with lines of text below each.

    Args:
        images: uint8, of shape (height, width, 3) or (height, width, 1); of any other
            number of channels the first is shown. Up to 64 pixels they are drawn as
            squares.
        captions: The lines below each image: the first in bold, the last small. As
            many for each.
        path: The PNG to write.
        title: A heading, or None.
        columns: Pictures in a row, at most.

    Raises:
        ValueError: There is nothing to draw, or not a caption for each image.
        ImportError: matplotlib is missing.
    """
    lines = {len(caption) for caption in captions}
    if not images or len(images) != len(captions) or len(lines) != 1:
        raise ValueError(
            "`captions` must have as many lines for each of one or more images. "
            f"Received: {len(images)} images, {len(captions)} captions of "
            f"{sorted(lines)} lines"
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    text = 0.2 * lines.pop()  # inches
    width = 2.0 * columns
    height = (1.75 + text + 0.15) * rows + (0.45 if title else 0.1)
    figure, axes = new_figure(width, height, columns, rows)
    edge = 0.08 / height  # the layout does not count what hangs below a line
    figure.get_layout_engine().set(rect=(0, edge, 1, 1 - 2 * edge))
    cells = np.atleast_1d(axes).ravel()
    for cell in cells:
        cell.set_axis_off()
    for image, caption, cell in zip(images, captions, cells, strict=False):
        if image.shape[-1] not in (1, 3):
            image = image[..., :1]
        small = max(image.shape[:2]) <= 64
        cell.imshow(
            image.squeeze(-1) if image.shape[-1] == 1 else image,
            cmap="gray",
            vmin=0,
            vmax=255,
            interpolation="nearest" if small else "antialiased",
        )
        for number, line in enumerate(caption):
            first, last = number == 0, number == len(caption) - 1
            cell.annotate(
                _shortened(line),
                xy=(0.5, 0),
                xycoords="axes fraction",
                xytext=(0, -4 - 13 * number),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=7 if last and not first else 9,
                fontweight="bold" if first else "normal",
                color="#777777" if last and not first else "#222222",
            )
    save(figure, (), path, title)


def _shortened(line: str, most: int = 30) -> str:
    return (
        line
        if len(line) <= most
        else f"{line[: most - 12]}\N{HORIZONTAL ELLIPSIS}{line[-11:]}"
    )
