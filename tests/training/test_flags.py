"""The flags of scripts/train.py: one for every field, and what they come to."""

import dataclasses

import pytest
from absl import flags as absl_flags

from keras_regnet.training import flags
from keras_regnet.training.flag_groups import GROUPS, NO_FLAG, RENAMED
from keras_regnet.training.flag_help import format_help
from keras_regnet.training.flag_values import check_uses
from keras_regnet.training.recipes import RECIPES, SECTIONS, configure


def parsed(*arguments):
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["train.py", *arguments])
    return values


def test_every_field_has_a_flag_in_a_group():
    names = set(flags.all_flags())
    for section, kind in SECTIONS.items():
        for field in dataclasses.fields(kind):
            name = RENAMED.get(f"{section}.{field.name}", field.name)
            assert name in names or name in NO_FLAG, name
    groups = flags.groups()
    assert list(groups) == list(GROUPS)  # nothing under "More"
    assert sum(map(len, groups.values())) == len(names)


def test_nothing_given_is_the_default_recipe():
    assert flags.run_config(parsed()) == configure()


def test_flags_come_after_the_recipe():
    config = flags.run_config(
        parsed(
            "--recipe=torchvision_v2",
            "--model=regnety_032",
            "--dataset=imagenet2012",
            "--epochs=300",
            "--weight_decay=1e-4",
            "--norm_weight_decay=none",
            "--clip_norm=2",
            "--nonesterov",
            "--crop_area=0.35,1",
            "--cache=false",
            "--flip",
            "--seed=7",
        )
    )
    assert config == configure(
        "torchvision_v2",
        model={"architecture": "regnety_032"},
        data={
            "name": "imagenet2012",
            "crop_area": (0.35, 1.0),
            "cache": False,
            "flip": True,
            "seed": 7,
        },
        training={
            "epochs": 300,
            "weight_decay": 1e-4,
            "norm_weight_decay": None,
            "clip_norm": 2.0,
            "nesterov": False,
        },
    )


def test_a_network_by_its_numbers():
    given = ["--block=y", "--depth=3", "--w0=8", "--wa=8", "--wm=2", "--group_width=8"]
    config = flags.run_config(parsed(*given))
    assert config.model.parameters.squeeze_excite_ratio == 0.25
    for wrong in (given[:-1], [*given, "--model=RegNetX32"], given[1:]):
        with pytest.raises(ValueError, match="Give either --model"):
            flags.run_config(parsed(*wrong))


def test_the_shape_of_a_network_with_a_name_is_its_own():
    for shape in ("stem=resnet", "stem_width=32", "strides=2", "bottleneck_ratio=1"):
        for model in ([], ["--model=RegNetX32"]):
            with pytest.raises(ValueError, match=f"--{shape}"):
                flags.run_config(parsed(*model, f"--{shape}"))


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--epsilon=1e-3"], "optimizer"),
        (["--optimizer=adamw", "--nesterov"], "optimizer=sgd"),
        (["--decay_factor=0.5"], "schedule"),
        (["--warmup_epochs=0", "--warmup_mode=replacing"], "warmup_epochs"),
        (["--ema_every_steps=4"], "ema_decay"),
        (["--randaugment_ops=3"], "auto_augment=randaugment"),
        (["--augment=none", "--pad=2"], "augment=pad_crop"),
        (["--erasing_mode=noise"], "random_erasing"),
        (["--mix_probability=0.5"], "mixup_alpha"),
        (["--split_seed=1"], "another --dataset: of digits"),
        (["--validation_fraction=0.1"], "another --dataset: of digits"),
        (["--cache=true"], "TFDS"),
        (["--dataset=folder:/nowhere", "--cache=true"], "TFDS"),
        (["--dataset=folder:/nowhere", "--shuffle_buffer=9"], "records"),
        (["--crop_fraction=0.5"], "images of many sizes"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(arguments, needed):
    name = arguments[-1].partition("=")[0]
    with pytest.raises(ValueError, match=f"{name} does nothing without .*{needed}"):
        flags.run_config(parsed(*arguments))


def test_a_recipe_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: pycls_100e\ntraining: {epochs: 50}\n")
    config = flags.run_config(parsed(f"--recipe_file={path}", "--batch_size=256"))
    assert (config.training.epochs, config.training.learning_rate) == (50, 0.2)
    with pytest.raises(ValueError, match="Give either --recipe or"):
        flags.run_config(parsed(f"--recipe_file={path}", "--recipe=pycls_100e"))


@pytest.mark.parametrize(
    "argument", ["--epochs=ten", "--weight_decay=none", "--strategy=all", "--flop=1"]
)
def test_wrong_values_are_refused_before_anything_starts(argument):
    with pytest.raises(absl_flags.Error, match=argument[2:6]):
        parsed(argument)


def test_help_reads_like_documentation():
    text = format_help("What it does.", flags.groups())
    assert text.startswith("What it does.")
    for title in GROUPS:
        assert f"\n\n{title}\n\n" in text
    for name in flags.all_flags():
        assert f"--{name}" in text or f"--[no]{name}" in text
    for recipe in RECIPES:
        assert f"\n  {recipe} " in text
    assert "pycls_100e 8192" in text
    assert "`" not in text
    assert max(map(len, text.splitlines())) <= 88


def test_a_flag_that_is_given_must_do_something():
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_integer("copies", 1, "How many.", flag_values=values)
    absl_flags.DEFINE_boolean("write", False, "Whether.", flag_values=values)
    for line, refused in (([], False), (["--copies=2"], True), (["--copies=1"], True)):
        values(["program", *line])
        uses = {"copies": (values.write, "--write")}
        if refused:
            with pytest.raises(
                ValueError, match=r"--copies does nothing without --wri"
            ):
                check_uses(values, uses)
        else:
            check_uses(values, uses)
    values(["program", "--copies=2", "--write"])
    check_uses(values, {"copies": (values.write, "--write")})


@pytest.mark.parametrize("flag", ["split_seed=3", "validation_fraction=0.2"])
def test_a_share_is_not_held_out_beside_a_part_of_its_own(tmp_path, flag):
    folder, records = tmp_path / "folder", tmp_path / "records"
    (folder / "a").mkdir(parents=True)
    records.mkdir()
    (records / "train-00000-of-00001").touch()
    names = (f"folder:{folder}", f"tfrecord:{records}", f"{folder}")
    for name in names:
        flags.run_config(parsed(f"--dataset={name}", f"--{flag}"))
    (folder / "train").mkdir()
    (folder / "val").mkdir()
    (records / "validation-00000-of-00001").touch()
    for name in names:
        flags.run_config(parsed(f"--dataset={name}", f"--{flag}", "--hold_out"))
        with pytest.raises(ValueError, match=f"{flag[:10]}.* without --hold_out"):
            flags.run_config(parsed(f"--dataset={name}", f"--{flag}"))
