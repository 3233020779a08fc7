"""The networks compute what timm's compute, from the same random weights."""

import numpy as np
import pytest

import keras_regnet
from tests.torch_peer import carry_over, logits, random_timm_model, relative_difference

pytestmark = pytest.mark.peers


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("regnetx_002", (193, 161)),
        ("regnetx_080", (96, 96)),  # its first stage is narrower than a group
        pytest.param("regnety_004", (224, 224), marks=pytest.mark.kernels),
        pytest.param("regnety_032", (224, 224), marks=pytest.mark.slow),
        ("regnety_008_tv", (96, 96)),  # torchvision's rounding
    ],
)
def test_logits_equal_timm(name, size):
    theirs = random_timm_model(name)
    ours = keras_regnet.RegNet(
        name, input_shape=(None, None, 3), classifier_activation=None
    )
    carry_over(theirs, ours)
    images = np.random.default_rng(1).normal(size=(2, *size, 3)).astype("float32")
    expected = logits(theirs, images)
    assert np.abs(expected).max() > 0.1
    for actual in (ours(images), ours.predict(images, verbose=0)):
        assert relative_difference(actual, expected) < 1e-4
    # One pixel of misalignment, as "same" padding brings, is seen.
    shifted = ours(np.roll(images, 1, axis=(1, 2)))
    assert relative_difference(shifted, expected) > 1e-3


def test_training_step_statistics_equal_timm():
    """Loss in training mode and the running statistics after one batch."""
    import keras
    import torch

    theirs = random_timm_model("regnety_004").train()
    ours = keras_regnet.RegNet(
        "regnety_004", input_shape=(64, 64, 3), classifier_activation=None
    )
    carry_over(theirs, ours)
    images = np.random.default_rng(2).normal(size=(8, 64, 64, 3)).astype("float32")
    labels = np.arange(8) * 7
    outputs = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    their_loss = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    our_loss = loss(labels, ours(images, training=True))
    assert float(our_loss) == pytest.approx(their_loss.item(), rel=1e-5)
    state = theirs.state_dict()
    for layer, key in (("stem", "stem"), ("s2_b1", "s2.b1.downsample")):
        bn = ours.get_layer(layer)
        bn = (bn.downsample if "downsample" in key else bn).bn
        for variable, name in (
            (bn.moving_mean, "running_mean"),
            (bn.moving_variance, "running_var"),
        ):
            np.testing.assert_allclose(
                variable.numpy(),
                state[f"{key}.bn.{name}"].numpy(),
                rtol=1e-4,
                atol=1e-5,
            )
