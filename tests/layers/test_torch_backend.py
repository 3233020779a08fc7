"""The layers on Keras' torch backend, in a process that has it: on_torch.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.script_runner import ROOT

pytestmark = pytest.mark.backends


def test_the_layers_on_torch():
    pytest.importorskip("torch")
    program = Path(__file__).with_name("on_torch.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--noconftest", "-q", str(program)],
        env=os.environ | {"KERAS_BACKEND": "torch"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
