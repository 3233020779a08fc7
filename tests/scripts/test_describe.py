import json

import pytest

from ..architecture.golden import PUBLISHED
from ..script_runner import run_script

X_400MF = ("--depth=22", "--w0=24", "--wa=24.48", "--wm=2.54", "--group_width=16")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The runs that succeed, in one process, and the picture of the first."""
    folder = tmp_path_factory.mktemp("describe")
    cases = [
        ("--model=regnetx_004", f"--output={folder / 'widths.png'}"),
        (*X_400MF, "--rounding=torchvision", "--json", "--input_size=64x32"),
        ("--model=RegNetX32", "--input_size=96", "--classes=10"),
    ]
    runs = run_script("describe.py", cases, folder, fresh=True)
    assert [run.returncode for run in runs] == [0, 0, 0], runs
    return *[run.stdout for run in runs], folder / "widths.png"


@pytest.mark.long
def test_tables_and_picture(good):
    told, picture = good[0], good[-1]
    golden = PUBLISHED["RegNetX-400MF"]
    for key in ("multiply_adds", "parameters", "total_parameters", "activations"):
        assert f"{golden[key]:,}" in told
    assert "RegNetX-400MF" in told and "changed for the groups" in told
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_of_numbers(good):
    told = json.loads(good[1])
    assert told["complexity"]["parameters"] == 5495976  # torchvision's own count
    assert told["complexity"]["parts"][-2]["output_shape"] == [2, 1, 400]
    assert told["derivation"]["compatible"][-1] == 400
    assert told["parameters"]["wa"] == 24.48


def test_network_without_derivation(good):
    assert "12 x 12 x 80" in good[2] and "eq. 4" not in good[2]


BAD_FLAGS = [
    ((), "Give --model, or all of"),
    (("--model=RegNetX-300MF",), "RegNetX-200MF"),
    (("--model=RegNetX-200MF", "--depth=3"), "not both"),
    (("--depth=3", "--w0=8"), "Received: --depth, --w0"),
    ((*X_400MF, "--wm=1"), "above 1"),
    ((*X_400MF, "--rounding=up"), "'pycls', 'torchvision'"),
    ((*X_400MF, "--depth=many"), "depth"),
    ((*X_400MF, "--input_size=big"), "input_size"),
    ((*X_400MF, "--classes=0"), "classes"),
    ((*X_400MF, "--output=/no/folder/widths.png"), "/no/folder"),
    ((*X_400MF, "extra"), "extra"),
    (("--modell=RegNetX-200MF",), "modell"),
]


@pytest.mark.long
def test_bad_flags(tmp_path):
    runs = run_script(
        "describe.py", [arguments for arguments, _ in BAD_FLAGS], tmp_path
    )
    for (arguments, part), done in zip(BAD_FLAGS, runs, strict=True):
        assert done.returncode == 2, (arguments, done)
        assert part in done.stderr and "Traceback" not in done.stderr, arguments
        assert done.stderr.count("describe.py: ") == 1 and done.stdout == ""
