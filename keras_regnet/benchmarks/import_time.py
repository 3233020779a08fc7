"""Import times. This file itself imports little, not to anticipate what it measures."""

import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.alternation import alternate
from keras_regnet.benchmarks.comparison import Comparison


def imports(
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
) -> Comparison:
    """Seconds of `import keras`, `import keras_regnet` and `import torch, timm`.

    Each in a process of its own; Keras' is a column, so that what we add shows. The
    first import of each is not counted: it reads the files from the disk.
    """
    modules = ["keras", "keras_regnet", *(["timm"] if "timm" in peers else [])]
    names = {"keras": "keras", "keras_regnet": "keras_regnet", "timm": "torch and timm"}
    builders = {
        f"import {names[module]}": lambda module=module: partial(
            fresh_process.call,
            "keras_regnet.benchmarks.import_time:import_seconds",
            {"module": module},
            lean=True,
        )
        for module in modules
    }
    columns = {
        "eager torch": ["import torch and timm"],
        "keras alone": ["import keras"],
    }
    return alternate(
        "import", builders, columns, rounds, absent=absent, setting={"kind": "build"}
    )


def import_seconds(module: str) -> float:
    """Seconds of an import in this process, which must be a lean one."""
    if module == "timm":
        from keras_regnet.benchmarks.peers import timm

        start = time.perf_counter()
        timm()
        return time.perf_counter() - start
    for name in [name for name in sys.modules if name.startswith("keras_regnet")]:
        del sys.modules[name]
    start = time.perf_counter()
    importlib.import_module(module)
    return time.perf_counter() - start
