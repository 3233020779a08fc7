"""scripts/train.py, evaluate.py and predict.py from a run to its predictions."""

import json
import re
import signal
import subprocess
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_regnet  # noqa: F401 (registers the layers of the saved models)
from tests.script_runner import run_script
from tests.scripts.programs import TINY, completed, run, start

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "tiny"
    output = run("train", *TINY, "--epochs=2", f"--run_dir={path}")
    assert "Validation accuracy" in output
    assert "Epoch 2/2" in output
    return path


@pytest.fixture(scope="module")
def evaluations(trained, tmp_path_factory):
    """What evaluate.py says, several times in one process; and where it writes."""
    folder = tmp_path_factory.mktemp("evaluations")
    of_run = [f"--model={trained}", f"--output={folder}"]
    cases = [
        [f"--model={trained}"],
        [*of_run, "--json"],
        [*of_run, "--report", "--mistakes=7"],
        [*of_run, "--report", "--dataset=digits"],
        ["--model=nowhere"],
    ]
    runs = run_script("evaluate.py", cases, folder)
    assert [run.returncode for run in runs] == [0, 0, 0, 2, 2], runs
    assert not [run for run in runs if "Traceback" in run.stderr]
    return runs, folder


@pytest.mark.long
def test_evaluate(trained, evaluations):
    (plain, as_json, *_), _ = evaluations
    assert "360 images" in plain.stdout
    assert (trained / "confusion_matrix.png").stat().st_size > 1000
    found = json.loads(as_json.stdout)
    assert np.array(found["confusion"]).sum() == found["count"] == 360
    final = json.loads((trained / "result.json").read_text())["final"]
    assert found["top1"] == final["validation_accuracy"]
    assert found["top5"] >= found["top1"]
    assert [row["class"] for row in found["per_class"]] == list("0123456789")


def test_evaluate_writes_the_report(evaluations):
    (_, _, told, refused, nowhere), folder = evaluations
    assert f"Report: {folder / 'report.html'}" in told.stdout
    report = (folder / "report.html").read_text()
    assert report.count("<img ") == 7
    assert "--epochs=2" in report  # the command line of the run
    assert "Received: --model=" in refused.stderr
    assert "a run directory, a .keras file" in nowhere.stderr


def test_predict(trained, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    picture = tf.cast(np.arange(12 * 9 * 3).reshape(12, 9, 3) % 256, tf.uint8)
    tf.io.write_file(str(pictures / "a.png"), tf.io.encode_png(picture))
    tf.io.write_file(str(pictures / "b.jpg"), tf.io.encode_jpeg(picture))
    (pictures / "broken.png").write_bytes(b"not a picture")
    (pictures / "notes.txt").write_text("not even a picture's name")
    options = [f"--model={trained}", "--json", "--top=3"]
    done = completed("predict", *options, pictures, fresh=True)
    assert "Warning: Cannot read the image" in done.stderr
    assert "broken.png" in done.stderr
    found = json.loads(done.stdout)
    assert [each["image"].rsplit("/")[-1] for each in found] == ["a.png", "b.jpg"]
    shares = [each["probability"] for each in found[0]["top"]]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)

    table, broken, nowhere = run_script(
        "predict.py",
        [
            [f"--model={trained}", "--from_validation=3", "--top=2"],
            [f"--model={trained}", pictures / "broken.png"],
            ["--model=nowhere"],
        ],
        tmp_path,
    )
    assert table.stdout.count("true class") == 3
    assert len(table.stdout.splitlines()) == 9
    assert "None of the pictures" in broken.stderr
    assert "--from_validation" in nowhere.stderr
    assert [each.returncode for each in (table, broken, nowhere)] == [0, 2, 2]


WRONG = [
    (["--model=RegNetX-201MF"], "200"),
    (["--block=x", "--depth=3"], "Give either --model"),
    (["--run_dir="], "run_dir must be the folder"),
    (["--recipe=pycls"], "Did you mean pycls_100e"),
    (["--num_gpus=99"], "num_gpus must be from 0 to"),
    (["--dry_run", "--num_gpus=7"], "split evenly"),
    (["--run_dir=/proc/run"], "Error: Cannot write /proc/run"),
    ([*TINY, "--epochs=2"], "already holds a run"),
]


@pytest.fixture(scope="module")
def answers(trained, tmp_path_factory):
    """What train.py says where it does not train, in one process."""
    folder = tmp_path_factory.mktemp("answers")
    cases = {
        "dry run": [
            "--recipe=pycls_100e",
            "--model=regnety_032",
            "--dataset=imagenet2012",
            f"--data_dir={folder}",
            "--num_gpus=8",
            "--dry_run",
            f"--run_dir={folder / 'run'}",
        ],
        "recipe": [*TINY, "--epochs=2", "--label_smoothing=0.1", "--print_recipe"],
        "help": ["--help"],
    }
    wrong = [[f"--run_dir={trained}", *arguments] for arguments, _ in WRONG]
    runs = run_script("train.py", [*cases.values(), *wrong], folder)
    assert [run.returncode for run in runs] == [0] * 3 + [2] * len(WRONG), runs
    return dict(zip(cases, runs, strict=False)), runs[3:], folder / "run"


@pytest.mark.long
def test_dry_run_of_the_papers_recipe(answers):
    text = answers[0]["dry run"].stdout
    assert "learning rate 0.4" in text
    assert "512 images, 64 on each of 8" in text
    assert "2,502 an epoch, 250,200 in 100 epochs" in text
    picture = answers[2] / "learning_rate.png"
    assert picture.stat().st_size > 5000
    assert [each.name for each in picture.parent.iterdir()] == [picture.name]


@pytest.mark.long
def test_a_printed_recipe_is_a_recipe_file(answers, tmp_path):
    first = answers[0]["recipe"].stdout
    path = tmp_path / "mine.yaml"
    path.write_text(first)
    again = run("train", f"--recipe_file={path}", "--print_recipe")
    assert [line for line in again.splitlines() if not line.startswith("#")] == [
        line for line in first.splitlines() if not line.startswith("#")
    ]
    assert "epochs: 2\n" in again


def test_help(answers):
    text = answers[0]["help"].stdout
    assert "  scripts/train.py --recipe=pycls_100e" in text
    assert "Checkpoints and going on" in text


def test_wrong_arguments_are_one_message(answers):
    for (arguments, message), done in zip(WRONG, answers[1], strict=True):
        assert message in done.stderr, arguments
        assert done.stderr.count("Error:") == 1
        assert "Traceback" not in done.stderr


@pytest.mark.long
def test_two_replicas_on_one_cpu(tmp_path):
    run(
        "train",
        *TINY,
        "--batch_size=478",
        "--epochs=1",
        "--strategy=mirrored",
        "--logical_cpu_devices=2",
        "--sync_batch_norm",
        f"--run_dir={tmp_path / 'run'}",
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["final"]["validation_count"] == 360
    described = json.loads((tmp_path / "run" / "config.json").read_text())
    assert described["environment"]["replicas"] == 2


def kill_and_go_on(tmp_path, options, kill_after):
    """Trains undisturbed, and killed in the middle of an epoch; compares."""
    for name in ("whole", "killed"):
        arguments = [*options, f"--run_dir={tmp_path / name}"]
        if name == "killed":
            process = start("train", *arguments, stderr=subprocess.DEVNULL)
            for line in process.stdout:
                if re.match(rf"Epoch +{kill_after}/", line):
                    break
            time.sleep(0.2)  # into the next epoch
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            assert not (tmp_path / name / "result.json").exists()
        # Nothing may hang on the order of sets, which is another one in each Python.
        run("train", *arguments, "--resume", fresh=name == "killed")

    def final(name):
        rows = (tmp_path / name / "log.csv").read_text().splitlines()
        head = rows[0].split(",")
        named = ("seconds", "images_per_second", "data_wait")
        timing = [i for i, name in enumerate(head) if name.endswith(named)]
        rows = [row.split(",") for row in rows]
        return [[v for i, v in enumerate(r) if i not in timing] for r in rows]

    assert final("killed") == final("whole")
    whole, killed = (
        keras.saving.load_model(tmp_path / name / "model.keras", compile=False)
        for name in ("whole", "killed")
    )
    for mine, theirs in zip(whole.weights, killed.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.long
def test_kill_and_go_on(tmp_path):
    options = [*TINY, "--batch_size=32", "--epochs=6", "--dropout=0.1"]
    kill_and_go_on(tmp_path, options, kill_after=2)


@pytest.mark.long
def test_ctrl_c_says_how_to_go_on(tmp_path):
    process = start("train", *TINY, "--epochs=500", f"--run_dir={tmp_path}")
    for line in process.stdout:
        if line.startswith("Epoch"):
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume goes on after the last checkpoint in {tmp_path}" in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_kill_and_go_on_with_a_real_network(tmp_path):
    kill_and_go_on(tmp_path, ["--model=RegNetX32", "--epochs=10"], kill_after=4)


@pytest.mark.slow
def test_digits_with_the_defaults(tmp_path):
    run("train", "--model=RegNetX32", "--dataset=digits", f"--run_dir={tmp_path}")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["final"]["validation_accuracy"] >= 0.97
