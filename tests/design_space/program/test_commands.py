"""The commands as scripts/design_space.py runs them, on the embedded digits."""

import json

import pytest

pytest.importorskip("absl")

from absl.flags import FlagValues

from keras_regnet.architecture import RegNetParameters
from keras_regnet.design_space.networks import build, decode
from keras_regnet.design_space.program import commands, flags
from keras_regnet.design_space.results import plan_of
from keras_regnet.design_space.spaces import FACTORIES
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.training import flags as train_flags
from tests.design_space.fakes import result

NETWORKS = [
    "--ranges=small_images",
    "--stages=2",
    "--strides=1,2",
    "--stem=small",
    "--stem_width=8",
    "--flops=1e5,6e5",
]
REGIME = [
    "--dataset=digits",
    "--image_size=8",
    "--train_images=256",
    "--batch_size=64",
    "--epochs=2",
]


def run(command, *arguments):
    values = FlagValues()
    flags.define(command, values)
    values(["design_space.py", *map(str, arguments)])
    commands.run(["design_space.py", command], values)


def invented(monkeypatch):
    """No network is trained: what comes out follows from its number."""

    def train(study, **arguments):
        while record := study.begin():
            study.finish(record.id, result(record.id), "w")

    monkeypatch.setattr(
        "keras_regnet.design_space.program.training.train_population", train
    )


def test_sample(tmp_path, capsys):
    images = ["--input_size=8", "--input_channels=1", "--classes=10"]
    path = tmp_path / "new" / "networks.jsonl"
    arguments = [*NETWORKS, *images, "--n=5", "--show=2", f"--output={path}"]
    run("sample", "--space=RegNetX", *arguments)
    printed = capsys.readouterr().out
    assert "5 networks of regnetx, seed 0" in printed
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 5
    for row in rows:
        network = decode(json.dumps(row["network"]))
        assert isinstance(network, RegNetParameters)
        model = build(network, (8, 8, 1), 10)
        trainable = sum(v.shape.num_elements() for v in model.trainable_variables)
        assert trainable == row["parameters"]
        assert 1e5 <= row["flops"] <= 6e5
    first = decode(json.dumps(rows[0]["network"]))
    table = printed.split("\n\n")[2].splitlines()
    assert len(table) == 3
    depths = ",".join(map(str, first.anynet().depths))
    assert table[1].split()[:3] == [str(first.depth), str(first.w0), f"{first.wa:g}"]
    assert depths in table[1].split()


@pytest.mark.parametrize("space", ["anynetx_a", "plain_e", "mlp", "vionet"])
def test_sample_of_every_kind(space, capsys):
    run("sample", f"--space={space}", "--n=3")
    assert f"3 networks of {space}, seed 0" in capsys.readouterr().out


def test_train_trains_goes_on_and_exports(tmp_path, capsys):
    path, export = tmp_path / "study.sqlite", tmp_path / "study.jsonl"
    study = [f"--study={path}", f"--export={export}", "--workers=0"]
    run("train", *study, *REGIME, *NETWORKS, "--spaces=regnetx,anynetx_a", "--n=1")
    with StudyFile.read(path) as opened:
        records = opened.records()
        assert [r.space for r in records] == ["regnetx", "anynetx_a"]
        assert all(len(r.errors) == 2 and 0 <= r.error < 1 for r in records)
        assert opened.regime.epochs == 2
    # Nothing is left to do; and another machine goes on from the export.
    text = export.read_text()
    run("train", *study)
    assert export.read_text() == text
    path.unlink()
    run("train", *study)
    assert "was made from" in capsys.readouterr().out
    with StudyFile.read(path) as opened:
        assert opened.records() == records


@pytest.mark.long
def test_compare_best_and_report(tmp_path, monkeypatch, capsys):
    invented(monkeypatch)
    path, export = tmp_path / "study.sqlite", tmp_path / "study.jsonl"
    study = [f"--study={path}", f"--export={export}"]
    run("train", *study, *REGIME, *NETWORKS, "--spaces=regnetx,anynetx_a", "--n=9")
    capsys.readouterr()

    for given in (path, export):
        run("compare", f"--study={given}")
        printed = capsys.readouterr().out
        # RegNetX has the numbers 1 to 9, and the error is 0.5 / (1 + number).
        (row,) = [line for line in printed.splitlines() if line.startswith("regnetx  ")]
        assert row.split()[:8] == ["regnetx", "9", "0", "0", "5.00", "%", "8.33", "%"]
        assert "regnetx and anynetx_a: D = 1.000" in printed
        assert "anynetx_a has more networks below that error." in printed
    run("compare", f"--study={path}", "--match=flops")
    assert "regnetx and anynetx_a: D = " in capsys.readouterr().out

    run("best", f"--study={path}", "--count=3")
    printed = capsys.readouterr().out
    with StudyFile.read(path) as opened:
        records = opened.records(space="regnetx")
    best = decode(records[-1].network)
    assert "The best of 9 RegNets" in printed
    command = printed.splitlines()[-1].split()
    values = FlagValues()
    train_flags.define(values)
    values(command)
    assert train_flags.run_config(values).model.architecture == best

    folder = tmp_path / "report"
    chosen = [f"--output_dir={folder}", "--formats=png", "--spaces=regnetx"]
    run("report", f"--study={export}", *chosen)
    printed = capsys.readouterr().out
    page = (folder / "report.html").read_text()
    assert "regnetx" in page and "<svg" in page
    with StudyFile.read(path) as opened:
        acceptance = plan_of(opened, "regnetx").sample(9).acceptance
    assert f"{100 * acceptance:.2f}\N{NO-BREAK SPACE}%" in page
    names = {path.name for path in folder.iterdir()}
    assert {"edfs.png", "networks_regnetx.png", "properties_regnetx.png"} <= names
    assert "properties_anynetx_a.png" not in names
    assert all(name in printed for name in names)
    with pytest.raises(ValueError, match="Received: formats='gif'"):
        run("report", f"--study={path}", f"--output_dir={folder}", "--formats=gif")

    cheapest = min(records, key=lambda record: record.flops)
    run("best", f"--study={path}", f"--max_flops={cheapest.flops}")
    assert "The best of 1 RegNets" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"Received: --max_flops=1000"):
        run("best", f"--study={path}", "--max_flops=1000")
    with pytest.raises(ValueError, match=r"Received: \['anynetx_a'\]"):
        run("best", f"--study={path}", "--spaces=anynetx_a")
    run("compare", f"--study={path}", "--spaces=regnetx")
    assert "only one space" in capsys.readouterr().out


def test_what_differs_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    invented(monkeypatch)
    path = tmp_path / "study.sqlite"
    arguments = [f"--study={path}", *REGIME, *NETWORKS, "--spaces=regnetx"]
    run("train", *arguments, "--n=2")
    for other, message in (
        ("--epochs=3", "epochs"),
        ("--flops=1e5,5e5", "flops"),
        ("--sampling_seed=1", "seed"),
    ):
        with pytest.raises(ValueError, match=f"Received: .*{message}"):
            run("train", *arguments, "--n=2", other)
    run("train", *arguments, "--n=3")
    with StudyFile.read(path) as opened:
        assert len(opened.records()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--study=None"),
        (["--study=export.jsonl"], "--study=export.jsonl"),
        (["--study=S", "--dataset=digits"], "--spaces=None"),
        (["--study=S", "--spaces=regnetz"], "'regnetz'"),
        (["--study=S", "--spaces=regnetx", "--flops=few"], "'few'"),
        (["--study=S", "--spaces=regnetx", "--strides=a"], "'a'"),
        (["--study=S", "--spaces=regnetx", "--flops=1,2", "--stages=2"], "n=100"),
        (["--study=S", "--spaces=regnetx", "--epochs=0"], "0"),
        (["--study=S", "--spaces=regnetx", "--export=gs://b/S.jsonl"], "export='gs:"),
        (["--study=S", "--n=3"], "--n=3"),
        (["--study=S", "--stem=small"], "--stem=small"),
        (["--study=S", "--spaces=mlp", "--workers=0", "--cpus=2"], "--cpus=2"),
    ],
)
def test_bad_input_of_train(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"Received: .*{message}"):
        run("train", *arguments)
    with pytest.raises(FileNotFoundError):
        StudyFile.read(tmp_path / "S")


def test_help_names_every_flag_of_a_command(capsys):
    for command in commands.COMMANDS:
        values = FlagValues()
        flags.define(command, values)
        text = flags.format_help(command)
        for name in values:
            assert f"--{name}" in text or f"--[no]{name}" in text
        assert max(map(len, text.splitlines())) <= 88
    assert all(name in flags.format_help("sample") for name in FACTORIES)


def test_no_command_and_an_unknown_one():
    assert "sample" in flags.format_overview("What it does.")
    with pytest.raises(ValueError, match=r"Did you mean train\?.*Received: 'trian'"):
        commands.run(["design_space.py", "trian"], None)
    with pytest.raises(ValueError, match=r"Received: \['x'\]"):
        commands.run(["design_space.py", "best", "x"], None)
