"""The study that is committed: complete, of the networks it names, and told rightly."""

from pathlib import Path

import numpy as np
import pytest

from keras_regnet.design_space.networks import encode
from keras_regnet.design_space.results import plan_of, results_of
from keras_regnet.design_space.study_export import import_study
from keras_regnet.design_space.study_file import StudyFile

FOLDER = Path(__file__).parents[2] / "keras_regnet" / "design_space"
SPACES = ["anynetx_a", "anynetx_c", "anynetx_e", "regnetx", "vionet"]


def opened(name, folder):
    path = folder / "study.sqlite"
    import_study(FOLDER / name, path)
    return StudyFile.read(path)


@pytest.mark.parametrize(
    ("name", "spaces", "networks"),
    [("study.jsonl", SPACES, 64), ("pilot.jsonl", ["anynetx_a"], 10)],
)
def test_every_network_is_there_and_sampled_as_it_says(
    name, spaces, networks, tmp_path
):
    assert (FOLDER / name).stat().st_size < 2e6
    assert '"/' not in (FOLDER / name).read_text()  # no path of a machine
    with opened(name, tmp_path) as study:
        assert study.spaces() == spaces
        for each in results_of(study):
            assert (len(each), each.failed, each.left) == (networks, 0, 0)
            sample = plan_of(study, each.name).sample(networks)
            assert [*map(encode, sample)] == [*map(encode, each.networks)]
            assert [same[0].flops for same in each.records] == list(sample.flops)


def test_networks_vary_more_than_seeds(tmp_path):
    with opened("pilot.jsonl", tmp_path) as study:
        (each,) = results_of(study)
    assert len(each.records[0]) == 3
    assert each.variances().ratio >= 3


def test_the_page_has_the_errors_of_the_records(tmp_path):
    page = (FOLDER / "STUDY.md").read_text()
    rows = {
        cells[1].strip(): [cell.split()[0] for cell in cells[3:7]]
        for line in page.splitlines()
        if len(cells := line.split("|")) == 8 and cells[1].strip() in SPACES
    }
    with opened("study.jsonl", tmp_path) as study:
        for each in results_of(study):
            errors = 100 * each.errors
            values = (errors.min(), np.median(errors), errors.mean())
            assert rows[each.name] == [str(len(each)), *(f"{v:.2f}" for v in values)]
