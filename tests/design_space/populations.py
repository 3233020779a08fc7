"""Populations whose errors are invented: results in memory, and studies in files."""

from keras_regnet import AnyNetParameters, Stage
from keras_regnet.design_space.networks import encode
from keras_regnet.design_space.plan import SamplingPlan
from keras_regnet.design_space.records import DONE, Record
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.results import PopulationResults
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.trial import TrialResult

SHAPE, CLASSES = (28, 28, 1), 10
COMMON = {
    "strides": (1, 2),
    "stem": "small",
    "input_size": 28,
    "input_channels": 1,
    "classes": CLASSES,
}


def plan(space="anynetx_a", **fields):
    """Networks of two stages for small images."""
    return SamplingPlan(
        space=space, ranges="small_images", stages=2, common=COMMON, **fields
    )


def networks(depths, widths=(8, 16)):
    """Networks whose first stage has one block, and whose second so many."""
    first, second = widths
    return [
        AnyNetParameters(
            (Stage(1, first, 1, 8), Stage(depth, second, 2, 8)), stem="small"
        )
        for depth in depths
    ]


def results(errors, found=None, name="a", curves=None):
    """What came out of some networks, by default of 2, 3, 4, ... blocks.

    Args:
        errors: After the last epoch.
        found: The networks.
        name: Of the space.
        curves: Errors after every epoch; by default 0.9 and then `errors`.
    """
    found = found or networks(range(1, len(errors) + 1))
    curves = curves or [(0.9, error) for error in errors]
    records = [
        (Record(i, name, i, encode(network), 0, 1, 1, 1, DONE, errors=curve),)
        for i, (network, curve) in enumerate(zip(found, curves, strict=True))
    ]
    space = plan().make_space()
    return PopulationResults(name, space, tuple(found), tuple(records), 0, 0)


def write_study(path, populations, seeds=(0,)):
    """Writes a study whose errors are given; returns its path.

    Args:
        path: The file.
        populations: By name: the space and the errors of its networks, in the order of
            the sampling. An error is a number; a text is the reason of a failure; None
            is a network that waits. With several seeds an error is one for each.
        seeds: Of each network.
    """
    regime = Regime(data="digits", epochs=2, train_images=1000)
    with Study.open(path, regime) as study:
        study.check_images(
            {
                "digest": "0" * 16,
                "shape": list(SHAPE),
                "classes": CLASSES,
                "train_images": 1000,
                "judged_images": 500,
            }
        )
        wanted = {}
        for name, (space, errors) in populations.items():
            sampling = plan(space)
            study.add(
                name,
                list(sampling.sample(len(errors))),
                sampling.to_dict(),
                input_shape=SHAPE,
                classes=CLASSES,
                seeds=seeds,
            )
            for record in study.records(space=name):
                each = errors[record.position // len(seeds)]
                if isinstance(each, tuple):
                    each = each[record.position % len(seeds)]
                wanted[record.id] = each
        while record := study.begin():
            error = wanted[record.id]
            if isinstance(error, str):
                study.fail(record.id, error, "1: a processor, 1 core")
            elif error is not None:
                study.finish(record.id, trial(error), "1: a processor, 1 core")
    with Study.open(path, regime):  # what was only begun waits again
        pass
    return path


def trial(error):
    """A minute of training that ends with this error."""
    return TrialResult(
        errors=(0.9, error),
        train_errors=(0.8, error),
        train_losses=(2.0, 1.0),
        seconds={"training": 50.0, "judging": 10.0},
    )
