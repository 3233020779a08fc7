"""Pictures of growth: images a second over batch sizes, seconds over networks."""

import os
import statistics
from collections.abc import Sequence

from keras_regnet.benchmarks import drawing
from keras_regnet.benchmarks.comparison import Comparison


def draw_batch_sizes(
    comparisons: Sequence[Comparison],
    path: str | os.PathLike[str],
    caption: str = "",
) -> bool:
    """Draws images a second against the batch size, a panel for each network.

    Returns:
        Whether there was anything to draw: inference at two batch sizes or more.
    """
    panels: dict[tuple, list[Comparison]] = {}
    for each in comparisons:
        if each.setting.get("kind") == "infer":
            keys = ("network", "image_size", "precision")
            panels.setdefault(tuple(each.setting[k] for k in keys), []).append(each)
    panels = {key: found for key, found in panels.items() if len(found) > 1}
    if not panels:
        return False
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure, grid = drawing.figure(4.6 * columns + 2.4, 3.4 * lines, lines, columns)
    names = list(
        dict.fromkeys(n for found in panels.values() for e in found for n in e.values)
    )
    cells = [cell for line in grid for cell in line]
    for axes, (key, found) in zip(cells, panels.items(), strict=False):
        for name in names:
            points = sorted(
                (each.setting["batch_size"], each.images_per_second(name))
                for each in found
                if name in each.values
            )
            drawing.line(axes, points, name, names.index(name), name in found[0].ours)
        sizes = sorted({each.setting["batch_size"] for each in found})
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_yscale("log")
        drawing.plain_ticks(axes.yaxis, *axes.get_ylim())
        size = f"{key[1]}x{key[1]}"
        extra = "" if key[2] == "float32" else f", {key[2]}"
        axes.set_title(f"{key[0]}, {size}{extra}", fontsize=10)
        axes.set_xlabel("images in a batch")
        axes.set_ylabel("images/s")
        axes.grid(color=drawing.GRID)
    for axes in cells[len(panels) :]:
        axes.set_visible(False)
    drawing.legend(figure, cells[: len(panels)])
    drawing.save(figure, cells, path, caption)
    return True


def draw_growth(
    comparisons: Sequence[Comparison],
    path: str | os.PathLike[str],
    caption: str = "",
) -> bool:
    """Draws the seconds of a step against multiply-adds, and the ratio below.

    Of several series (batch sizes, precisions) the first is drawn.

    Returns:
        Whether there was anything to draw: growth over two networks or more.
    """
    found = [each for each in comparisons if each.setting.get("kind") == "growth"]
    keys = ("image_size", "batch_size", "precision")
    found = [e for e in found if all(e.setting[k] == found[0].setting[k] for k in keys)]
    if len(found) < 2:
        return False
    figure, ((top,), (bottom,)) = drawing.figure(7.6, 6.4, 2, 1, height_ratios=(2.2, 1))
    work = [each.setting["multiply_adds"] / 1e9 for each in found]
    names = list(dict.fromkeys(name for each in found for name in each.values))
    for index, name in enumerate(names):
        ours = name in found[0].ours
        points = [
            (giga, each.median(name))
            for giga, each in zip(work, found, strict=True)
            if name in each.values
        ]
        drawing.line(top, points, name, index, ours)
        ratios = [
            (giga, each.ratios(name))
            for giga, each in zip(work, found, strict=True)
            if ours and each.peers
        ]
        if ratios:
            middles = [(g, statistics.median(r)) for g, r in ratios]
            drawing.line(bottom, middles, name, index, ours)
            bottom.vlines(
                [g for g, _ in ratios],
                [min(r) for _, r in ratios],
                [max(r) for _, r in ratios],
                color=drawing.color(index),
                linewidth=1,
            )
    top.set_yscale("log")
    drawing.plain_ticks(top.yaxis, *top.get_ylim())
    setting = found[0].setting
    top.set_ylabel(f"seconds a step, batch {setting['batch_size']}")
    top.legend(frameon=False, fontsize=9)
    bottom.axhline(1, color="#222222", linewidth=1.2)
    bottom.set_ylim(0, max(1.1, bottom.get_ylim()[1]))
    bottom.set_ylabel("over the best\nof eager torch", fontsize=9)
    bottom.set_xlabel("$10^9$ multiply-adds of the forward pass of an image")
    labels = [each.setting["network"].removeprefix("RegNet") for each in found]
    for axes in (top, bottom):
        axes.set_xscale("log")
        axes.set_xlim(work[0] / 1.3, work[-1] * 1.3)
        drawing.plain_ticks(axes.xaxis, work[0] / 1.3, work[-1] * 1.3)
        axes.grid(color=drawing.GRID)
    for giga, label in zip(work, labels, strict=True):
        bottom.annotate(
            label,
            (giga, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=7,
            color="#8a8a8a",
        )
    drawing.save(figure, (top, bottom), path, caption)
    return True
