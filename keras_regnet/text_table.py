"""Tables of text: columns as wide as what is in them."""

from collections.abc import Collection, Sequence


def text_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    indent: int = 0,
) -> str:
    """A table for a terminal.

    Args:
        head: The headings.
        rows: Texts, as many in each as there are headings.
        numbers: Which columns, from 0, stand at the right.
        indent: Spaces before each line.
    """
    table = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            text.rjust(width) if place in numbers else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" " * indent + "  ".join(cells).rstrip())
    return "\n".join(lines)
