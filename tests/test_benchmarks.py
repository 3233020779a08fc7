"""The benchmarks run and compare rightly; what they time is not tested."""

import json

import pytest

from keras_regnet.benchmarks.alternation import Comparison, alternate
from tests.script_runner import run_script
from tests.torch_peer import timm


def test_ratios_are_to_the_best_peer_of_the_same_round():
    comparison = Comparison(
        "step", {"ours": [1.0, 3.0], "a": [2.0, 5.0], "b": [4.0, 1.5]}, ("a", "b")
    )
    assert comparison.ratios("ours") == [0.5, 2.0]
    assert "1.25 (0.50 to 2.00)" in str(comparison)
    assert Comparison("step", {"ours": [1.0]}, ()).ratios("ours") == []
    assert "no peer" in str(Comparison("step", {"ours": [1.0]}, ()))


def test_cases_alternate_after_one_warm_up():
    calls = []

    def case(name, seconds):
        def run():
            calls.append(name)
            return seconds

        return run

    comparison = alternate("t", {"a": case("a", 1.0), "b": case("b", 2.0)}, ["b"], 2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert comparison.seconds == {"a": [1.0, 1.0], "b": [2.0, 2.0]}
    assert comparison.to_dict()["ratios"]["a"] == [0.5, 0.5]


@pytest.mark.peers
def test_the_script_prints_and_writes_a_table(tmp_path):
    timm()
    path = tmp_path / "report.json"
    arguments = ["--models=regnetx_002", "--image_size=32", "--batch_size=2"]
    arguments += ["--rounds=2", "--steps=1", "--jit_compile", "--stock_layers"]
    good, bad = run_script(
        "benchmark.py",
        [[*arguments, f"--json={path}"], ["--models=regnetx_003"]],
        tmp_path,
    )
    assert good.returncode == 0, good.stderr
    assert "RegNetX-200MF, 32x32, batch 2" in good.stdout
    result = json.loads(path.read_text())["results"][0]
    assert set(result["seconds"]) == {
        "keras_regnet, fit",
        "keras_regnet, fit, jit_compile=True",
        "stock Keras layers, fit",
        "timm, contiguous",
        "timm, channels_last",
    }
    assert all(len(times) == 2 for times in result["seconds"].values())
    assert bad.returncode == 2
    assert "regnetx_003" in bad.stderr
