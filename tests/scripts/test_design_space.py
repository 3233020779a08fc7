"""scripts/design_space.py as a program; its commands are tested where they live."""

import pytest

from ..script_runner import run_script
from .programs import run


@pytest.mark.long
def test_overview_an_unknown_command_and_one_that_works(tmp_path):
    cases = [
        (),
        ("--help",),
        ("trian",),
        ("sample", "--space=anynetx_e", "--n=3", "--flops=360e6,400e6", "--show=2"),
        ("sample", "--flops=2,1"),
    ]
    assert "3 networks of" in run("design_space", *cases[3], fresh=True)
    runs = run_script("design_space.py", cases, tmp_path)
    assert [run.returncode for run in runs] == [0, 0, 2, 0, 2]
    assert runs[0].stdout == runs[1].stdout
    assert "compare   tells which populations" in runs[0].stdout
    assert runs[2].stderr.startswith("Error: There is no such command. Did you mean")
    assert "3 networks of anynetx_e, seed 0" in runs[3].stdout
    assert "Received: flops=(2.0, 1.0)" in runs[4].stderr
