#!/usr/bin/env python3
"""Writes the generated tables of README.md, or checks that they are up to date.

A table stands between `<!-- table:NAME -->` and `<!-- end -->`. What it says comes from
keras_regnet.architecture and tests/golden, never from hand.

    scripts/make_tables.py            writes
    scripts/make_tables.py --check    exits with 1 when README.md is out of date
"""

import json
import os
import re
import sys
from pathlib import Path

from absl import app, flags

ROOT = Path(__file__).resolve().parents[1]

FLAGS = flags.FLAGS
flags.DEFINE_bool(
    "check", False, "Write nothing; exit with 1 when the tables are out of date."
)
flags.DEFINE_string("readme", str(ROOT / "README.md"), "The file to write or check.")


def main(argv: list[str]) -> None:
    """Writes or checks the file."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if len(argv) > 1:
        _fail(f"Too many arguments. Received: {argv[1:]}")
    from keras_regnet.files import write_text

    try:
        text = Path(FLAGS.readme).read_text(encoding="utf-8")
        updated = text
        for name, make in TABLES.items():
            updated = replace_table(updated, name, make())
    except (OSError, ValueError) as error:
        _fail(f"{error}")
    if FLAGS.check:
        if updated != text:
            print(f"{FLAGS.readme} is out of date: run scripts/make_tables.py")
            sys.exit(1)
        print(f"{FLAGS.readme} is up to date")
    elif updated != text:
        write_text(FLAGS.readme, updated)
        print(f"{FLAGS.readme} written")


def variants_table() -> str:
    """The 24 published networks, as Markdown."""
    from keras_regnet.architecture import (
        application_name,
        complexity,
        published_names,
        variant,
    )

    golden = json.loads((ROOT / "tests" / "golden" / "published.json").read_text())
    lines = [
        "| network | `keras_regnet.applications` | depths | widths | group width "
        "| multiply-adds | parameters | top-1 error, published |",
        "| :-- | :-- | :-- | :-- | --: | --: | --: | --: |",
    ]
    for name in published_names():
        network, cost = variant(name).anynet(), complexity(variant(name))
        groups = sorted({stage.group_width for stage in network.stages}, reverse=True)
        cells = [
            name,
            f"`{application_name(name)}`",
            "-".join(map(str, network.depths)),
            "-".join(map(str, network.widths)),
            ", ".join(map(str, groups)),
            f"{cost.multiply_adds / 1e9:.3g} G",
            f"{cost.parameters / 1e6:.3g} M",
            f"{golden[name]['top1_error']:.1f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def replace_table(text: str, name: str, table: str) -> str:
    """Puts a table between its markers.

    Raises:
        ValueError: The markers do not stand there exactly once.
    """
    begin, end = f"<!-- table:{name} -->", "<!-- end -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    found = len(pattern.findall(text))
    if found != 1 or text.count(begin) != 1:
        raise ValueError(
            f"The lines {begin} and {end} must stand once in {FLAGS.readme}, in this "
            f"order. Received: {text.count(begin)} of the first, {found} of both"
        )
    return pattern.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def _fail(message: str) -> None:
    """Ends the program with one message and exit code 2."""
    print(f"make_tables.py: {message}", file=sys.stderr)
    sys.exit(2)


TABLES = {"variants": variants_table}

if __name__ == "__main__":
    app.run(main)
