"""Recipes as YAML files: read, refused, and written so that they can be read."""

import pytest

from keras_regnet.training.recipe_files import read_recipe, write_recipe
from keras_regnet.training.recipes import RECIPES, configure

pytest.importorskip("yaml")


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_extends_a_recipe(tmp_path):
    recipe = read_recipe(
        written(
            tmp_path,
            """
            extends: pycls_100e
            model: {architecture: regnety_032}
            data:
              batch_size: 256
            training:
              epochs: 50
              weight_decay: 1e-4  # a word to YAML
            """,
        )
    )
    config = configure(recipe)
    assert config.recipe == "mine"
    assert config.model.parameters.depth == 21
    assert config.training.weight_decay == 1e-4
    assert config.training.epochs == 50
    assert config.training.learning_rate == pytest.approx(0.2)  # follows the batch
    assert config.training.precise_bn_images == 8192
    # What is given besides comes after the file.
    again = configure(recipe, data={"batch_size": 128}, training={"epochs": 20})
    assert (again.training.learning_rate, again.training.epochs) == (0.1, 20)
    assert again.training.warmup_epochs == 4


def test_a_file_without_a_name_extends_the_default(tmp_path):
    config = configure(read_recipe(written(tmp_path, "training: {epochs: 3}")))
    assert config.training == configure(training={"epochs": 3}).training
    assert configure(read_recipe(written(tmp_path, ""))).data == configure().data


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_written_can_be_read(tmp_path, name):
    config = configure(
        name,
        model={"architecture": "regnety_032"},
        data={"name": "imagenet2012", "crop_area": (0.35, 1.0)},
        training={"clip_norm": 1.0},
    )
    text = write_recipe(config)
    assert all(source in text for source in RECIPES[name].sources)
    again = configure(read_recipe(written(tmp_path, text)))
    assert again.sections() == config.sections()
    assert again.recipe == name


def test_where_the_data_are_is_left_out():
    config = configure(data={"data_dir": "/somewhere", "download": True})
    assert "/somewhere" not in write_recipe(config)
    assert "download" not in write_recipe(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training:\n  label_smothing: 0.1", "Did you mean label_smoothing"),
        ("epochs: 3", "epochs stands under `training:`"),
        ("extend: pycls_100e", "Did you mean extends"),
        ("extends: pycls", "mine.yaml: recipe must be one of"),
        ("- 1", "must have the keys"),
        ("a: [", "must be a YAML file"),
        ("model: 3", "model must have fields by name"),
        ("training: !!python/object:os.system {}", "must be a YAML file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_recipe(written(tmp_path, text))
    assert "Received" in str(error.value)
    assert "mine.yaml" in str(error.value)
