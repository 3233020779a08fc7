"""Pictures of comparisons, on matplotlib without pyplot."""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from keras_regnet.benchmarks import drawing
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.curves import draw_batch_sizes, draw_growth

_OURS, _PEERS = "#1f5fa8", "#c9c9c9"


def draw(
    comparisons: Sequence[Comparison],
    folder: str | os.PathLike[str],
    caption: str = "",
) -> list[Path]:
    """Draws what there is to draw.

    Args:
        comparisons: Results of the suite.
        folder: Where `ratios.png`, `batch_sizes.png` and `growth.png` go.
        caption: What the numbers were taken on, for the head of each picture.

    Returns:
        The files written: only those that there are results for.

    Raises:
        ImportError: matplotlib is missing.
    """
    drawn = []
    for name, function in (
        ("ratios.png", draw_ratios),
        ("batch_sizes.png", draw_batch_sizes),
        ("growth.png", draw_growth),
    ):
        path = Path(folder) / name
        if function(comparisons, path, caption):
            drawn.append(path)
    return drawn


def draw_ratios(
    comparisons: Sequence[Comparison],
    path: str | os.PathLike[str],
    caption: str = "",
) -> bool:
    """Draws a bar for each case: its ratio to the first column of peers.

    Ours are blue; the peers of the other columns are grey, for comparison. The thin
    lines are the rounds, least to greatest. Bars begin at 1 on a logarithmic axis, so
    that twice as fast and twice as slow are equally long, to the left and the right.
    Growth has a picture of its own.

    Returns:
        Whether there was anything to draw.
    """
    rows: list[tuple[str, list[float] | None, str]] = []
    for each in comparisons:
        if not each.peers or each.setting.get("kind") in ("growth", "memory before"):
            continue
        first = next(iter(each.peers.values()))
        names = [name for name in each.values if name not in first]
        if len(names) > 1:
            rows.append((each.title, None, ""))
        for name in names:
            color = _OURS if name in each.ours else _PEERS
            label = name if len(names) > 1 else each.title
            rows.append((label, each.ratios(name), color))
    if not rows:
        return False
    figure, ((axes,),) = drawing.figure(8.6, 1.2 + 0.24 * len(rows))
    numbers = [number for _, ratios, _ in rows for number in ratios or ()]
    low, high = min(*numbers, 0.6) / 1.4, max(*numbers, 1.3) * 1.4
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    for row, (_, ratios, color) in enumerate(rows):
        if ratios is None:
            continue
        middle = statistics.median(ratios)
        axes.barh(row, middle - 1, 0.68, left=1, color=color, zorder=2)
        axes.plot(
            (min(ratios), max(ratios)), (row, row), color="#222222", lw=1, zorder=4
        )
        faster = middle < 1
        axes.annotate(
            f"{middle:.2f}",
            (min(*ratios, 1.0) if faster else max(*ratios, 1.0), row),
            xytext=(-4 if faster else 4, 0),
            textcoords="offset points",
            ha="right" if faster else "left",
            va="center",
            fontsize=8,
        )
    axes.axvline(1, color="#222222", linewidth=1.2, zorder=3)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=8)
    for label, (_, ratios, _) in zip(axes.get_yticklabels(), rows, strict=True):
        if ratios is None:
            label.set_fontweight("bold")
    axes.set_ylim(len(rows) - 0.4, -0.7)
    axes.tick_params(axis="y", length=0)
    drawing.plain_ticks(axes.xaxis, low, high)
    figure.supxlabel(
        "time or memory over the peer's (the better layout of eager torch; "
        "torchvision): to the left of 1 is better",
        fontsize=9,
    )
    axes.grid(axis="x", color=drawing.GRID, zorder=0)
    drawing.save(figure, [axes], path, caption)
    return True
