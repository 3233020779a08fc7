"""Runs the scripts as a user does, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A network and data so small that a run takes seconds.
TINY = [
    "--block=x",
    "--depth=2",
    "--w0=8",
    "--wa=8",
    "--wm=2",
    "--group_width=8",
    "--image_size=8",
    "--batch_size=479",
    "--verbose=1",
]


def command(script, *arguments):
    return [
        sys.executable,
        str(ROOT / "scripts" / f"{script}.py"),
        *map(str, arguments),
    ]


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def run(script, *arguments, code=0):
    """Runs a script to its end; returns its standard output, or error if it fails."""
    done = subprocess.run(
        command(script, *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout
