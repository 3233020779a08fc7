"""What the design spaces need installed, and what the sampling half may import."""

import ast
import subprocess
import sys
from pathlib import Path

from keras_regnet import design_space

FOLDER = Path(design_space.__file__).parent
EXTRAS = ("ray", "matplotlib", "tensorflow_datasets", "sklearn")
# Those that are numbers alone: a network is built by who asks for it.
SAMPLING = ("spaces", "properties", "comparison", "best_range", "correlation", "plan")


def test_the_core_packages_are_enough():
    code = f"""
import sys
for name in {EXTRAS}:
    sys.modules[name] = None
from keras_regnet import design_space as ds
plan = ds.SamplingPlan(space="regnetx", flops=(360e6, 400e6))
network = plan.sample(1)[0]
print(ds.properties(network, plan.make_space())["flops"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert 360e6 <= float(done.stdout) <= 400e6


def imported(path):
    """The modules that a file imports outside its functions."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_sampling_is_numpy_and_the_standard_library():
    waiting, seen = [FOLDER / f"{name}.py" for name in SAMPLING], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(path):
            top, *parts = name.split(".")
            assert top in {"numpy", "keras_regnet"} | sys.stdlib_module_names, path
            if parts[:1] == ["design_space"]:
                file = FOLDER.joinpath(*parts[1:]).with_suffix(".py")
                waiting += [file] if file.is_file() and file != FOLDER else []
            else:
                assert top != "keras_regnet" or parts[:1] in ([], ["architecture"]), (
                    path
                )
    assert {"space.py", "choices.py", "draws.py"} <= {path.name for path in seen}
