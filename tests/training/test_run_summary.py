"""The facts of a run, without the paths of the machine that it ran on."""

import json
import shlex

import pytest

from keras_regnet.training.run_summary import (
    command_text,
    training_facts,
    without_folders,
)


def write(path, command):
    configuration = {
        "data": {"name": "digits"},
        "recipe": "small_images",
        "seed": 3,
        "model": {"precision": "float32"},
    }
    environment = {"command_line": command, "devices": ["/device:CPU:0"]}
    for name, value in (
        ("config.json", {"configuration": configuration, "environment": environment}),
        ("result.json", {"epochs": 4, "seconds": 5400.0}),
    ):
        (path / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    "words",
    [
        ["--data_dir=/home/me", "--epochs=4", "--run_dir=/home/me/run", "--resume"],
        ["--data_dir", "/home/me", "--epochs=4", "--run_dir", "/home/me/run"],
    ],
)
def test_facts_of_a_run(tmp_path, words):
    write(tmp_path, ["/home/me/keras_regnet/scripts/train.py", *words])
    assert training_facts(tmp_path) == {
        "data_set": "digits",
        "recipe": "small_images",
        "epochs": 4,
        "seed": 3,
        "precision": "float32",
        "hours": 1.5,
        "devices": "/device:CPU:0",
        "command": "scripts/train.py --epochs=4",
    }


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("--dataset=folder:/home/me/ants and bees/", "--dataset=folder:ants and bees"),
        ("~/networks/net.keras", "net.keras"),
        ("--source=runs/fashion", "--source=runs/fashion"),
        ("--strides=1,2,2", "--strides=1,2,2"),
        ("fashion_mnist", "fashion_mnist"),
    ],
)
def test_folders_of_one_machine_say_nothing_elsewhere(word, kept):
    assert without_folders(word) == kept
    program = "/home/me/keras_regnet/scripts/finetune.py"
    command = command_text([program, word, "--publish_dir", "/home/me/published"])
    assert shlex.split(command) == ["scripts/finetune.py", kept]


def test_incomplete_runs_are_named(tmp_path):
    write(tmp_path, [])
    assert "command" not in training_facts(tmp_path)
    (tmp_path / "result.json").unlink()
    with pytest.raises(ValueError, match=r"without result\.json"):
        training_facts(tmp_path)
