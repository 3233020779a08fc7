"""A few processes in the place of the many that benchmarks ask for.

Importing TensorFlow or torch takes seconds. Here one process answers all that is asked
of its kind: with TensorFlow or without, with the same further variables.
"""

import contextlib
import importlib
import itertools
import json
from pathlib import Path


@contextlib.contextmanager
def shared_processes(folder):
    """Yields a function to put in the place of `fresh_process.serve`.

    Args:
        folder: An empty one, for the requests.
    """
    from keras_regnet.benchmarks import fresh_process

    start = fresh_process.serve
    numbers = itertools.count()
    processes, imported = {}, {}

    with contextlib.ExitStack() as stack:

        @contextlib.contextmanager
        def serve(function, arguments, lean=False, environment=None):
            arguments = json.dumps(arguments)
            if "import_time" in function:  # has to be the first in its process
                if arguments not in imported:
                    with start(function, json.loads(arguments), lean) as ask:
                        imported[arguments] = ask()
                yield lambda: imported[arguments]
                return
            kind = lean, json.dumps(environment)
            if kind not in processes:
                path = Path(folder) / f"{len(processes)}.json"
                dispatch = start(
                    f"{__name__}:dispatcher", {"path": str(path)}, lean, environment
                )
                processes[kind] = path, stack.enter_context(dispatch)
            path, ask = processes[kind]

            def request(*parts):
                path.write_text(json.dumps(parts))
                return ask()

            number = next(numbers)
            answer = request("make", number, function, json.loads(arguments))
            yield (lambda: answer[0]) if answer else (lambda: request("call", number))
            request("end", number)

        yield serve


def dispatcher(path):
    """A case that does what stands in the file."""
    cases = {}

    def make(number, function, arguments):
        module, name = function.split(":")
        result = getattr(importlib.import_module(module), name)(**arguments)
        if not callable(result):
            return [result]
        cases[number] = result
        return None

    actions = {
        "make": make,
        "call": lambda number: cases[number](),
        "end": lambda number: cases.pop(number, None) and None,
    }

    def case():
        action, *arguments = json.loads(Path(path).read_text())
        return actions[action](*arguments)

    return case
