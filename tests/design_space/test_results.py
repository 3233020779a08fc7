import dataclasses

import numpy as np
import pytest

from keras_regnet.design_space.plan import SamplingPlan
from keras_regnet.design_space.properties import properties
from keras_regnet.design_space.results import results_of
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.trial import TrialResult
from tests.design_space.tiny_study import CLASSES, SHAPE, regime

PLAN = SamplingPlan(
    space="anynetx_c",
    ranges="small_images",
    stages=2,
    common={
        "strides": (1, 2),
        "stem": "small",
        "stem_width": 8,
        "input_size": 8,
        "input_channels": 1,
        "classes": 10,
    },
    flops=(None, 5e5),
)


def result(*errors):
    return TrialResult(errors, (0.5, 0.5), (1.0, 1.0), {"training": 1.0})


def made(path, outcomes, plan=PLAN, count=3, seeds=(0, 1)):
    """A study whose n-th training came out so: a result, a reason, or not begun."""
    study = Study.open(path, regime())
    networks = plan.sample(count).networks
    study.add(
        plan.space,
        networks,
        plan.to_dict(),
        input_shape=SHAPE,
        classes=CLASSES,
        seeds=seeds,
    )
    for outcome in outcomes:
        record = study.begin()
        if isinstance(outcome, str):
            study.fail(record.id, outcome, "w")
        else:
            study.finish(record.id, outcome, "w")
    return study, networks


def test_errors_are_means_over_seeds_of_networks_that_are_done(tmp_path):
    outcomes = [
        result(0.9, 0.2),
        result(0.7, 0.4),
        result(0.8, 0.1),
        "loss not finite",
        result(0.6, 0.1),
        result(0.6, 0.3),
    ]
    with made(tmp_path / "s", outcomes, count=4)[0] as study:
        networks = PLAN.sample(4).networks
        (results,) = results_of(study)
    assert results.networks == (networks[0], networks[2])
    np.testing.assert_allclose(results.errors, [0.3, 0.2])
    np.testing.assert_allclose(results.curves(), [[0.8, 0.3], [0.6, 0.2]])
    assert (results.failed, results.left) == (1, 1)
    assert results.order().tolist() == [1, 0]
    assert results.distribution.best == pytest.approx(0.2)
    assert results.space == PLAN.make_space()
    for i, network in enumerate(results.networks):
        row = {name: column[i] for name, column in results.table.items()}
        assert row == properties(network, results.space)


def test_variances_by_hand(tmp_path):
    errors = [[0.10, 0.12], [0.20, 0.16], [0.30, 0.30]]
    outcomes = [result(0.9, each) for row in errors for each in row]
    with made(tmp_path / "s", outcomes)[0] as study:
        (results,) = results_of(study)
    found = results.variances()
    # Of percentages: (12 - 10)^2 / 2, (20 - 16)^2 / 2 and 0; means 11, 18 and 30.
    seeds = (2 + 8 + 0) / 3
    means = ((11 - 59 / 3) ** 2 + (18 - 59 / 3) ** 2 + (30 - 59 / 3) ** 2) / 2
    assert found.seeds == pytest.approx(seeds)
    assert found.networks == pytest.approx(means - seeds / 2)
    assert found.ratio == pytest.approx(found.networks / found.seeds)


def test_one_seed_has_no_variance_between_seeds(tmp_path):
    outcomes = [result(0.9, 0.1), result(0.9, 0.2)]
    with made(tmp_path / "s", outcomes, count=2, seeds=(0,))[0] as study:
        assert results_of(study)[0].variances() is None


def test_perceptrons(tmp_path):
    plan = dataclasses.replace(
        PLAN,
        space="mlp_linear",
        ranges=None,
        common={"input_size": 8, "input_channels": 1, "classes": 10},
    )
    outcomes = [result(0.5, 0.1), result(0.5, 0.2)]
    study, networks = made(tmp_path / "s", outcomes, plan, count=2, seeds=(0,))
    with study:
        (results,) = results_of(study)
    assert results.networks == networks
    np.testing.assert_array_equal(results.table["flops"], plan.sample(2).flops)


def test_spaces_that_are_not_there_or_not_begun(tmp_path):
    with made(tmp_path / "s", [])[0] as study:
        with pytest.raises(ValueError, match=r"Received: \['anynetx_b'\]"):
            results_of(study, ["anynetx_b"])
        with pytest.raises(ValueError, match=r"'anynetx_c' \(0 failed, 3 left"):
            results_of(study)
