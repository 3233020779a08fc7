import dataclasses

import pytest

from keras_regnet.design_space.regime import Regime


def test_goes_through_a_dict():
    regime = Regime(data="fashion_mnist", train_images=5000, learning_rate=0.1)
    assert Regime.from_dict(regime.to_dict()) == regime


def test_digest_is_of_every_field_but_the_place_of_the_data():
    regime = Regime(train_images=512)
    assert regime.located("/elsewhere").digest == regime.digest
    others = {
        "data": "mnist",
        "image_size": 16,
        "train_images": 1024,
        "validation_fraction": 0.1,
        "split_seed": 1,
        "augment": False,
        "epochs": 3,
        "batch_size": 64,
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "precision": "mixed_bfloat16",
    }
    assert {f.name for f in dataclasses.fields(Regime)} == {*others, "data_dir"}
    changed = [dataclasses.replace(regime, **{k: v}) for k, v in others.items()]
    assert len({each.digest for each in [regime, *changed]}) == len(others) + 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number.*Received: 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"validation_fraction": 0.0}, "validation_fraction"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"train_images": 64}, r"train_images must be at least batch_size \(128\)"),
        ({"augment": 1}, "augment must be True or False"),
        ({"precision": "float16"}, "precision must be one of"),
        ({"image_size": 4}, "image_size must be None or at least 8"),
        ({"split_seed": 2**32}, "split_seed must be below"),
        ({"data": ""}, "name must be the name of a data set"),
    ],
)
def test_wrong_fields_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Regime(**fields)


def test_unknown_fields_are_named():
    with pytest.raises(ValueError, match=r"Regime does not know \['lr'\]"):
        Regime.from_dict({"lr": 0.1})
