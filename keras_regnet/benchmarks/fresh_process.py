"""Functions called in processes of their own, for what one process cannot compare.

Import times, first steps, peak memory and settings of TensorFlow that must stand before
it starts need a process that has done nothing yet.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]

# `lean` puts an empty package in the place of keras_regnet, whose __init__ imports
# TensorFlow: the files of this folder that do without can then be imported alone.
# Triton, which CUDA builds of torch load, ends the process where TensorFlow was first.
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
lean, function = sys.argv[2:4]
if lean == "lean":
    import types
    package = types.ModuleType("keras_regnet")
    package.__path__ = [sys.argv[1] + "/keras_regnet"]
    sys.modules["keras_regnet"] = package
else:
    try:
        import triton
    except ImportError:
        pass
import importlib, json
module, name = function.split(":")
result = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[4]))
with open(int(sys.argv[5]), "w", buffering=1) as out:
    if not callable(result):
        print(json.dumps(result), file=out)
    else:
        print("null", file=out)
        for _ in sys.stdin:
            print(json.dumps(result()), file=out)
"""


class FreshProcessError(RuntimeError):
    """A process ended before it answered; the message ends with its last line."""


@contextlib.contextmanager
def serve(
    function: str,
    arguments: dict[str, Any],
    lean: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Callable[[], Any]]:
    """Builds a case in a process that lives until the block ends.

    Args:
        function: `"package.module:name"`; it returns JSON types, or a case: a function
            without arguments that does.
        arguments: Its keyword arguments, JSON types.
        lean: Whether `keras_regnet`, and so TensorFlow, is kept out of the process.
        environment: Variables that the process has besides.

    Yields:
        A function that returns the result, or calls the case and returns its result.

    Raises:
        FreshProcessError: The process failed or was killed.
    """
    read, write = os.pipe()
    command = [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT)]
    command += ["lean" if lean else "whole", function, json.dumps(arguments)]
    with tempfile.TemporaryFile("w+") as errors, open(read) as answers:
        process = subprocess.Popen(
            [*command, str(write)],
            pass_fds=(write,),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            bufsize=1,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **(environment or {})},
        )
        os.close(write)

        def answer() -> Any:
            line = answers.readline()
            if line:
                return json.loads(line)
            code = process.wait()
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise FreshProcessError(
                f"The process was killed by signal {-code}; memory may have run out. "
                f"Received: {function}"
                if code < 0
                else f"{last} (in a process of its own, {function})"
            )

        first = answer()

        def ask() -> Any:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write("\n")
            return answer()

        try:
            yield ask if first is None else lambda: first
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()


def call(function: str, arguments: dict[str, Any], lean: bool = False) -> Any:
    """Calls a function that returns JSON types once; see `serve`."""
    with serve(function, arguments, lean) as ask:
        return ask()
