import json

import pytest

from keras_regnet.design_space import ranges, spaces
from keras_regnet.design_space.plan import SamplingPlan

COMMON = {
    "strides": (1, 2, 2),
    "stem": "small",
    "input_size": (28, 28),
    "input_channels": 1,
    "classes": 10,
}


def test_plan_is_the_space_and_the_draw_that_it_names():
    plan = SamplingPlan(
        space="regnetx",
        ranges="small_images",
        stages=3,
        common=COMMON,
        seed=5,
        flops=(2e6, None),
        parameters=(None, 90_000),
    )
    space = spaces.regnetx(ranges.SMALL_IMAGES, 3, **COMMON)
    assert plan.make_space() == space.named("regnetx")
    wanted = space.sample(12, 5, flops=(2e6, None), parameters=(None, 90_000))
    sample = plan.sample(12)
    assert sample.networks == wanted.networks
    assert sample.flops.min() >= 2e6
    assert sample.parameters.max() <= 90_000


def test_plan_survives_json():
    plan = SamplingPlan(
        space="anynetx_c",
        ranges="small_images",
        stages=3,
        common=COMMON,
        flops=(1e6, 2e6),
    )
    values = json.loads(json.dumps(plan.to_dict()))
    assert SamplingPlan.from_dict(values) == plan
    assert SamplingPlan.from_dict(values).sample(3).networks == plan.sample(3).networks


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"space": "anynetx_f"}, "anynetx_f"),
        ({"space": "regnetx", "ranges": "huge"}, "huge"),
        ({"space": "mlp", "common": {"stem": "small"}}, "stem"),
        ({"space": "regnetx", "flops": (2, 1)}, r"flops=\(2, 1\)"),
        ({"space": "regnetx", "stages": 3, "common": {"strides": (1, 2)}}, r"\(1, 2\)"),
    ],
)
def test_impossible_plans(fields, message):
    with pytest.raises(ValueError, match=f"Received: .*{message}"):
        SamplingPlan(**fields)
