"""Runs one of scripts/ several times in one process of its own.

absl's flags are global: so not in the process of the tests. Neither in one process per
case: each would import torch, or whatever else the script needs, again.
"""

import json
import types
from pathlib import Path

from tests import fork_server
from tests.fork_server import ROOT

__all__ = ["ROOT", "run_script"]

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
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
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


def run_script(name, cases, folder, fresh=False):
    """Returns an object with returncode, stdout and stderr per list of arguments.

    Args:
        name: Of the file in scripts/.
        cases: Lists of its arguments.
        folder: For a file in which the results come back.
        fresh: Whether it must be a Python that has imported nothing.
    """
    out = Path(folder) / "script_runner.jsonl"
    out.unlink(missing_ok=True)
    done = fork_server.run(
        ["-c", _PROGRAM, ROOT / "scripts" / name, out],
        input=json.dumps([list(map(str, case)) for case in cases]),
        fresh=fresh,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return [
        types.SimpleNamespace(returncode=code, stdout=stdout, stderr=stderr)
        for code, stdout, stderr in rows
    ]
