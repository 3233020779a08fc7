"""Runs one of scripts/ several times in one fresh process.

Importing TensorFlow takes seconds, and absl's flags are global: so not in the process
of the tests, and not in one process per case.
"""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

ROOT = Path(__file__).parents[1]

_PROGRAM = """
import contextlib, io, json, runpy, sys, traceback
from absl import app, flags
script, out = sys.argv[1:3]
captured = {}
app.run = lambda main, flags_parser=app.parse_flags_with_usage: captured.update(
    main=main, parse=flags_parser)
runpy.run_path(script, run_name="__main__")
for case in json.load(sys.stdin):
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    flags.FLAGS.unparse_flags()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            captured["main"](captured["parse"]([script, *case]))
        except SystemExit as error:
            code = error.code or 0
        except BaseException:
            code = 1
            traceback.print_exc()
    with open(out, "a") as file:
        file.write(json.dumps([code, stdout.getvalue(), stderr.getvalue()]) + "\\n")
"""


def run_script(name, cases, folder):
    """Returns an object with returncode, stdout and stderr per list of arguments."""
    out = Path(folder) / "script_runner.jsonl"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-c", _PROGRAM, str(ROOT / "scripts" / name), str(out)]
    subprocess.run(
        command,
        input=json.dumps([list(map(str, case)) for case in cases]),
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return [
        types.SimpleNamespace(returncode=code, stdout=stdout, stderr=stderr)
        for code, stdout, stderr in rows
    ]
