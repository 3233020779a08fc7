"""scripts/finetune.py as a user runs it."""

import json
import re
import signal
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tests.script_runner import run_script
from tests.scripts.programs import run, start
from tests.transfer import small

pytest.importorskip("sklearn")

TINY = ["--dataset=digits", "--batch_size=479", "--nopublish"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return small.saved(tmp_path_factory.mktemp("source"))


def pictures(root, **counts):
    """A folder of pictures for each class, and a source's size of them."""
    random = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            image = random.integers(0, 255, (12, 9, 3)).astype("uint8")
            data = tf.io.encode_png(image).numpy()
            (root / name / f"{index}.png").write_bytes(data)
    return root


@pytest.mark.slow
def test_killed_and_gone_on_with(source, tmp_path):
    """SIGKILL in the second phase; the same command with --resume ends it."""
    options = [f"--source={source}", *TINY, "--head_epochs=1", "--body_epochs=20"]
    options += [f"--run_dir={tmp_path / 'run'}", "--body_learning_rate=0.001"]
    process = start("finetune", *options, stderr=subprocess.DEVNULL)
    for line in process.stdout:
        if re.match(r"Epoch +2/20", line):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "result.json").exists()
    assert "already holds a run" in run("finetune", *options, code=2)
    said = run("finetune", *options, "--resume", fresh=True)
    assert re.search(r"Going on after epoch \d+ of 20", said)
    assert re.search(r"Accuracy \d+\.\d\d % .* on 360 validation images", said)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [row["epoch"] for row in result["history"]] == list(range(1, 22))


@pytest.mark.long
def test_help_and_bad_input_of_which_each_is_one_message(source, tmp_path):
    """All in one process: most of the time would go into its start."""
    common = [f"--source={source}", f"--run_dir={tmp_path / 'run'}", "--nopublish"]
    one = pictures(tmp_path / "one", ants=3)
    empty = pictures(tmp_path / "empty", ants=3, bees=3, cats=0)
    text = pictures(tmp_path / "text", ants=3, bees=3)
    (text / "ants" / "notes.txt").write_text("no picture")
    fake = pictures(tmp_path / "fake", ants=3, bees=3)
    (fake / "bees" / "fake.jpg").write_bytes(b"no picture")
    bomb = pictures(tmp_path / "bomb", ants=3, bees=3)
    small_one = (bomb / "ants" / "0.png").read_bytes()
    side = (30_000).to_bytes(4, "big")
    (bomb / "ants" / "0.png").write_bytes(small_one[:16] + side + side + small_one[24:])
    cases = {
        "one class only": [f"--dataset=folder:{one}"],
        "classes without images: ['cats']": [f"--dataset=folder:{empty}"],
        "notes.txt": [f"--dataset=folder:{text}", "--strict_data"],
        "fake.jpg": [f"--dataset=folder:{fake}", "--strict_data"],
        "30000 x 30000 pixels are too many": [
            *(f"--dataset=folder:{bomb}", "--strict_data"),
        ],
        "has 10 classes. Received: classes=3": ["--classes=3"],
        "Received: dogs": ["--class_weights=dogs:2"],
        "pairs as ants:1,bees:2.5": ["--class_weights=dogs:two"],
        "layer_decay must be 1 with adamw": ["--layer_decay=0.5", "--optimizer=adamw"],
        "unfreeze must be at most the 2 stages": ["--unfreeze=7"],
        "nowhere/model.keras (no such file)": ["--source=nowhere/model.keras"],
        "--source is needed": ["--source="],
        "seeds must be whole numbers": ["--compare", "--seeds=1,x"],
        "--name does nothing without --publish": ["--name=mine"],
        "--seeds does nothing without --compare": ["--seeds=1"],
        "--scratch_learning_rate does nothing": ["--scratch_learning_rate=0.1"],
        "--pad does nothing without": ["--pad=2", "--augment=random_resized_crop"],
        "--unfreeze does nothing without": ["--unfreeze=1", "--body_epochs=0"],
        "--init does nothing without --nocompare": ["--compare", "--init=scratch"],
    }
    *runs, told = run_script(
        "finetune.py",
        [*(common + case for case in cases.values()), ["--help"]],
        tmp_path,
    )
    for (message, case), done in zip(cases.items(), runs, strict=True):
        assert done.returncode == 2, (case, done.stderr)
        assert message in done.stderr
        assert done.stderr.count("Error:") == 1
        assert "Received: " in done.stderr
    assert not (tmp_path / "run").exists()
    assert told.returncode == 0
    assert "--source=runs/fashion --dataset=digits --compare" in told.stdout
    assert "The two phases" in told.stdout
    assert "--batch_norm=auto|frozen|trained" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 88


@pytest.mark.long
def test_compare(source, tmp_path):
    options = ["--compare", "--seeds=4", "--head_epochs=1", "--body_epochs=1"]
    run_dir = tmp_path / "comparison"
    said = run(
        "finetune", f"--source={source}", *TINY, *options, f"--run_dir={run_dir}"
    )
    table = said.split("Accuracy in %")[1]
    assert "seed 4" in table
    for method in ("frozen", "two_phase", "from_scratch"):
        assert re.search(rf"^{method} \(.*\) +\d+\.\d\d", table, re.MULTILINE)
    found = json.loads((run_dir / "comparison.json").read_text())
    assert found["seeds"] == [4]
    (accuracy,) = found["methods"]["two_phase"]["accuracies"]
    assert f"{100 * accuracy:.2f}" in table
