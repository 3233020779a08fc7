"""torch's files where TensorFlow is there and torch is not: read in another process."""

import json
import pickle
import subprocess
import sys

import pytest

from keras_regnet.weights import torch_files
from tests.test_package import ROOT, run_python
from tests.weights.test_damage import Bomb

READ = """
import json, sys
import tensorflow, keras_regnet
from keras_regnet import weights
for path in json.loads({paths!r}):
    try:
        tensors = weights.readers.read_tensors(path)
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
    else:
        print(json.dumps({{k: [v.dtype.name, v.tolist()] for k, v in tensors.items()}}))
assert "torch" not in sys.modules
"""


@pytest.mark.peers
def test_torch_is_not_imported_beside_tensorflow(tmp_path):
    torch = pytest.importorskip("torch")
    good, bad, cut = (tmp_path / f"{name}.pth" for name in ("good", "bad", "cut"))
    half = torch.tensor([0.5, -2.0], dtype=torch.bfloat16)
    state = {"a/b.weight": torch.arange(6.0).reshape(2, 3).t(), "half": half}
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, good)
    proof = tmp_path / "it_ran"
    torch.save({"model_state": Bomb(proof)}, bad)
    cut.write_bytes(good.read_bytes()[:300])
    code = READ.format(paths=json.dumps([str(p) for p in (good, bad, cut)]))
    lines = run_python(code, PYTHONPATH=str(ROOT)).splitlines()
    tensors, refusal, damage = map(json.loads, lines)
    assert tensors == {
        "a/b.weight": ["float32", [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]],
        "half": ["float32", [0.5, -2.0]],
    }
    assert refusal[0] == "ValueError" and "without running code" in refusal[1]
    assert refusal[1].endswith(f"Received: {bad}")
    assert not proof.exists()
    assert damage[0] == "ValueError" and "damaged" in damage[1]


def test_a_torch_that_cannot_be_imported_is_named(monkeypatch, tmp_path):
    """The other process takes what stands first on the path, as this one would."""
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps({}))
    (tmp_path / "torch.py").write_text("raise OSError('libcudart is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(ImportError, match=r"libcudart is missing.*x\.pth"):
        torch_files.read(path)
    (tmp_path / "torch.py").write_text("__version__ = '2.5.1+cpu'")
    with pytest.raises(ImportError, match=r"2\.6 or newer.*torch 2\.5\.1"):
        torch_files.read(path)


def test_the_program_needs_nothing_of_this_package():
    code = f"import runpy, sys; runpy.run_path({torch_files.__file__!r}); "
    code += "sys.exit('keras_regnet' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], cwd="/").returncode == 0
