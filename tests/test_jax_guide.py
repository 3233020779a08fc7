"""The lines on JAX in scripts/README.md, run as they stand on two devices of a CPU."""

import re
import subprocess
import sys

import numpy as np
import pytest

from tests.script_runner import ROOT
from tests.test_backends import environment

pytestmark = [pytest.mark.backends, pytest.mark.slow]

HEADING = "## On GPUs and TPUs, with JAX\n"


def test_the_guide_to_jax(tmp_path):
    pytest.importorskip("jax")
    guide = (ROOT / "scripts" / "README.md").read_text().partition(HEADING)[2]
    blocks = re.findall(r"```python\n(.*?)```", guide.partition("\n## ")[0], re.DOTALL)
    assert len(blocks) == 2
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (70, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=rng.integers(0, 10, 70))
    program = "import sys; sys.modules['tensorflow'] = None\n" + "".join(blocks)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(
            "jax",
            HOME=str(tmp_path),
            PYTHONPATH=str(ROOT),
            XLA_FLAGS="--xla_force_host_platform_device_count=2",
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "model.keras").is_file()
