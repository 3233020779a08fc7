#!/usr/bin/env python3
"""Writes what is generated in README.md, and saved_models/README.md, or checks it.

A table stands between `<!-- table:NAME -->` and `<!-- end -->`. What it says comes from
keras_regnet.architecture and tests/golden, never from hand. The page about the
published models comes from their metadata.

    scripts/make_tables.py            writes
    scripts/make_tables.py --check    exits with 1 when a file is out of date
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import app, flags

ROOT = Path(__file__).resolve().parents[1]

FLAGS = flags.FLAGS
flags.DEFINE_bool(
    "check", False, "Write nothing; exit with 1 when the tables are out of date."
)
flags.DEFINE_string("readme", str(ROOT / "README.md"), "The file to write or check.")
flags.DEFINE_string(
    "saved_models",
    str(ROOT / "saved_models"),
    "The folder of published models, whose README.md is written or checked.",
)


def main(argv: list[str]) -> None:
    """Writes or checks the files."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if len(argv) > 1:
        _fail(f"Too many arguments. Received: {argv[1:]}")
    from keras_regnet.files import write_text

    outdated = []
    try:
        for path, text, updated in generated():
            if updated != text:
                outdated.append(path)
                if not FLAGS.check:
                    write_text(path, updated)
                    print(f"{path} written")
    except (OSError, ValueError) as error:
        _fail(f"{error}")
    for path in outdated if FLAGS.check else ():
        print(f"{path} is out of date: run scripts/make_tables.py")
    if FLAGS.check and outdated:
        sys.exit(1)
    if not outdated:
        print("everything is up to date")


def generated() -> Iterator[tuple[Path, str, str]]:
    """The files that are, wholly or in part, generated: what is and should be there."""
    readme = Path(FLAGS.readme)
    updated = text = readme.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        updated = replace_table(updated, name, make())
    yield readme, text, updated
    folder = Path(FLAGS.saved_models)
    if folder.is_dir():
        from keras_regnet.publishing.catalogue import catalogue

        page = folder / "README.md"
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        yield page, text, catalogue(folder)


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
