"""Frozen, in two phases and from scratch, with several seeds."""

import dataclasses
import json
import statistics

import pytest

from keras_regnet.transfer import FineTuneResult, compare, open_source
from keras_regnet.transfer.comparison import Comparison, configurations
from tests.transfer import small

pytest.importorskip("sklearn")


def test_all_have_as_many_epochs():
    config = small.config(batch_norm="frozen", scratch_learning_rate=0.2, unfreeze=1)
    found = configurations(config)
    assert {each.epochs for each in found.values()} == {3}
    assert (found["frozen"].head_epochs, found["frozen"].body_epochs) == (3, 0)
    assert found["two_phase"] == config
    assert found["from_scratch"].init == "scratch"


def test_table():
    def result(accuracy):
        return FineTuneResult(accuracy, 0.5, 200, 10.0, [], "run")

    values = {"frozen": [0.5, 0.6], "two_phase": [0.8, 0.9], "from_scratch": [0.7, 0.7]}
    results = {name: [result(each) for each in v] for name, v in values.items()}
    found = Comparison("source", "digits", 20, (0, 5), results)
    assert found.to_dict()["methods"]["frozen"] == {
        "accuracies": [0.5, 0.6],
        "mean": pytest.approx(0.55),
        "standard_deviation": pytest.approx(statistics.stdev([0.5, 0.6])),
        "least": 0.5,
        "greatest": 0.6,
        "seconds": [10.0, 10.0],
    }
    lines = found.table().splitlines()
    assert "200 validation images of digits, 20 epochs, from source" in lines[0]
    assert lines[1].split()[:4] == ["seed", "0", "seed", "5"]
    assert lines[3].split()[-7:] == [
        *("80.00", "90.00", "85.00", "7.07", "80.00", "90.00", "10"),
    ]
    one = dataclasses.replace(
        found, seeds=(0,), results={name: r[:1] for name, r in results.items()}
    )
    assert "-" in one.table().splitlines()[2].split()


@pytest.mark.long
def test_finished_runs_are_not_repeated(tmp_path, undrawn):
    source = open_source(small.saved(tmp_path))
    run_dir = tmp_path / "comparison"
    config = small.config(body_epochs=1)
    first = compare(source, small.DIGITS, config, run_dir, seeds=[3], verbose=0)
    files = sorted(run_dir.glob("*/*/result.json"))
    assert [f.parent.relative_to(run_dir).as_posix() for f in files] == [
        "from_scratch/seed_3",
        "frozen/seed_3",
        "two_phase/seed_3",
    ]
    written = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()  # as if it had been interrupted at its end
    with pytest.raises(ValueError, match="already holds a run"):
        compare(source, small.DIGITS, config, run_dir, seeds=[3], verbose=0)
    again = compare(
        source, small.DIGITS, config, run_dir, seeds=[3], resume=True, verbose=0
    )
    for method in first.results:
        assert again.accuracies(method) == first.accuracies(method)
    changed = [file for file in files if file.stat().st_mtime_ns != written[file]]
    assert changed == files[:1]
    stored = json.loads((run_dir / "comparison.json").read_text())
    assert stored["methods"]["frozen"]["accuracies"] == first.accuracies("frozen")
    assert stored["validation_images"] == 360


@pytest.mark.parametrize("seeds", [[], [0, 0], [-1]])
def test_wrong_seeds(tmp_path, seeds):
    with pytest.raises(ValueError, match="seeds must be"):
        compare("source", small.DIGITS, small.config(), tmp_path, seeds=seeds)


def test_a_phase_without_epochs_is_no_comparison(tmp_path):
    with pytest.raises(ValueError, match="body_epochs=0"):
        compare("source", small.DIGITS, small.config(body_epochs=0), tmp_path)
