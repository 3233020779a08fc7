"""Recipes against what their sources say, typed in here anew."""

import dataclasses

import pytest

from keras_regnet.architecture import AnyNetParameters, Stage, published_names, variant
from keras_regnet.training.recipes import RECIPES, configure, get_recipe

# MODEL_ZOO.md of pycls: the networks that were not trained with 1024 images.
BATCH_512 = ("3.2GF", "4.0GF", "6.4GF", "8.0GF", "12GF")
BATCH_256 = ("RegNetX-32GF", "RegNetY-16GF", "RegNetY-32GF")


def zoo_batch(name):
    if name in BATCH_256:
        return 256
    if name.endswith(BATCH_512) or name == "RegNetX-16GF":
        return 512
    return 1024


@pytest.mark.parametrize("name", published_names())
def test_every_recipe_fits_every_network(name):
    for recipe in RECIPES:
        config = configure(recipe, model={"architecture": name})
        assert config.recipe == recipe
        assert config.model.parameters == variant(name)
        assert config.training.epochs >= 18
    official = configure("pycls_100e", model={"architecture": name})
    batch = zoo_batch(name)
    assert official.data.batch_size == batch
    assert official.training.learning_rate == pytest.approx(
        {1024: 0.8, 512: 0.4, 256: 0.2}[batch]
    )
    first = configure("torchvision_v1", model={"architecture": name})
    assert first.data.batch_size == batch
    assert first.training.learning_rate == pytest.approx(
        0.4 if name == "RegNetY-400MF" else 0.8 * batch / 1024
    )


def test_the_papers_recipe_is_complete():
    config = configure("pycls_100e", model={"architecture": "regnetx_002"})
    training, data = config.training, config.data
    assert (training.epochs, training.optimizer) == (100, "sgd")
    assert (training.momentum, training.nesterov) == (0.9, True)
    assert set(training.decays.values()) == {5e-5}  # normalisations and biases too
    assert training.schedule_granularity == "epoch"
    assert training.precise_bn_images == 8192
    assert (training.label_smoothing, training.ema_decay) == (0, 0)
    assert (data.augment, data.pca_lighting) == ("random_resized_crop", 0.1)
    assert (data.image_size, data.crop_fraction) == (224, 0.875)
    assert data.auto_augment == "none"
    assert data.mixup_alpha == data.cutmix_alpha == data.random_erasing == 0
    assert not config.model.dropout
    assert not config.model.stochastic_depth
    assert not config.model.sync_batch_norm


def test_torchvisions_second_recipe():
    config = configure("torchvision_v2", model={"architecture": "regnety_016"})
    training, data = config.training, config.data
    assert (training.epochs, data.batch_size) == (600, 1024)
    assert (training.learning_rate, training.weight_decay) == (0.5, 2e-5)
    assert training.norm_weight_decay == 0
    assert training.bias_weight_decay is None
    assert not training.nesterov
    assert training.label_smoothing == 0.1
    assert (data.mixup_alpha, data.cutmix_alpha) == (0.2, 1.0)
    assert (data.auto_augment, data.random_erasing) == ("trivialaugment", 0.1)
    assert data.repeated_augmentation == 4
    # train.py: adjust = 1024 * 32 / 600, alpha = (1 - 0.99998) * adjust.
    assert 1 - training.ema_decay == pytest.approx(2e-5 * 1024 * 32 / 600)
    assert (training.ema_every_steps, training.ema_copies_in_warmup) == (32, True)
    assert data.evaluation_size / data.crop_fraction == pytest.approx(232)


@pytest.mark.parametrize(
    ("name", "size"), [("regnetx_016", 176), ("regnetx_032", 224), ("regnety_002", 224)]
)
def test_smaller_training_images_where_the_weights_had_them(name, size):
    config = configure("torchvision_v2", model={"architecture": name})
    assert (config.data.image_size, config.data.evaluation_size) == (size, 224)


def test_numbers_follow_from_ones_own():
    model = {"architecture": "regnety_032"}
    config = configure(
        "torchvision_v2",
        model=model,
        data={"batch_size": 256},
        training={"epochs": 300},
    )
    assert config.training.learning_rate == 0.125
    assert 1 - config.training.ema_decay == pytest.approx(2e-5 * 256 * 32 / 300)
    config = configure(
        "pycls_100e",
        model=model,
        data={"batch_size": 64},
        training={"epochs": 10, "label_smoothing": 0.1},
    )
    assert config.training.learning_rate == pytest.approx(0.05)
    assert config.training.warmup_epochs == 2
    assert config.training.label_smoothing == 0.1
    config = configure("pycls_100e", model=model, training={"learning_rate": 1.5})
    assert (config.training.learning_rate, config.data.batch_size) == (1.5, 512)


def test_default_recipe_is_the_former_behaviour():
    config = configure()
    assert config.model.architecture == "RegNetX32"
    assert (config.data.name, config.data.augment) == ("digits", "auto")
    assert config.training.epochs == 30
    assert config.training.learning_rate == pytest.approx(0.1)
    assert config.training.warmup_epochs == 5
    assert config.training.schedule_granularity == "step"


def test_networks_of_ones_own():
    numbers = AnyNetParameters((Stage(1, 8), Stage(1, 16)), block="x")
    for recipe in RECIPES:
        assert configure(recipe, model={"architecture": numbers}).data.batch_size > 100
    config = configure(model={"architecture": numbers.to_dict()})
    assert config.model.parameters == numbers


def test_every_recipe_says_where_it_is_from():
    for recipe in RECIPES.values():
        assert recipe.sources
        assert recipe.notes
        assert recipe.summary
        with pytest.raises(dataclasses.FrozenInstanceError):
            recipe.name = "another"
    with pytest.raises(TypeError):
        RECIPES["mine"] = RECIPES["default"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "pycls_100"}, "Did you mean pycls_100e.*Received: 'pycls_100'"),
        ({"training": {"epoch": 3}}, "Did you mean epochs.*Received: 'epoch'"),
        ({"data": {"batchsize": 3}}, "Did you mean batch_size"),
        ({"training": {"epochs": "ten"}}, "epochs must be a whole number"),
        ({"data": {"batch_size": 0}}, "batch_size must be a whole number"),
        ({"training": {"momentum": 2}}, r"momentum must be a number in \[0, 1\)"),
        ({"model": {"architecture": "RegNetQ"}}, "RegNetQ"),
    ],
)
def test_wrong_fields_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        configure(**arguments)
    assert get_recipe("default") is RECIPES["default"]
