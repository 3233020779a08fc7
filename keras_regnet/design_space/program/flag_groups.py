"""The flags of scripts/design_space.py by command, in the order of its help."""

from keras_regnet.design_space.ranges import PRESETS
from keras_regnet.design_space.sample import MEASURES

_SPACE = ("ranges", "stages", "strides", "stem", "stem_width")
_WINDOWS = ("flops", "parameters", "activations")
_IMAGES = ("input_size", "input_channels", "classes")

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "sample": {
        "What to draw": ("space", "n", "sampling_seed"),
        "Networks": (*_SPACE, *_IMAGES),
        "Windows": _WINDOWS,
        "Output": ("show", "output"),
    },
    "train": {
        "Study": ("study", "export", "retry_failed"),
        "What to draw": ("spaces", "n", "sampling_seed", "seeds"),
        "Networks": _SPACE,
        "Windows": _WINDOWS,
        "Regime": (
            "dataset",
            "data_dir",
            "image_size",
            "train_images",
            "validation_fraction",
            "split_seed",
            "augment",
            "epochs",
            "batch_size",
            "learning_rate",
            "weight_decay",
            "precision",
        ),
        "Workers": ("workers", "cpus", "gpus", "ray_address", "pinned", "retries"),
    },
    "report": {
        "Study": ("study", "spaces"),
        "Output": ("output_dir", "formats"),
    },
    "compare": {"Study": ("study", "spaces", "match", "significance")},
    "best": {"Study": ("study", "spaces"), "Budget": ("max_flops", "count")},
}
"""For each command headings, and the flags under each."""

RENAMED = {"dataset": "data"}
"""Flags with another name than the regime's field: that of the other programs."""

SUMMARIES = {
    "sample": "draws networks of a space and prints them, with the acceptance rate",
    "train": "trains populations of networks into a study file, and goes on",
    "report": "draws the figures of a study, and writes its report",
    "compare": "tells which populations of a study differ",
    "best": "prints the most promising RegNets of a study, as flags of train.py",
}
"""What each command does."""

# Type, default and help of all that is no field of `Regime`.
OWN: dict[str, tuple[type | tuple[str, ...], object, str]] = {
    "space": (str, "regnetx", "A space; {spaces}."),
    "spaces": (
        str,
        None,
        "Spaces, with commas between them; train knows {spaces}. By default those "
        "that the study has.",
    ),
    "n": (int, 100, "Networks of each space."),
    "sampling_seed": (int, 0, "Of the draw: the same networks each time."),
    "seeds": (str, "0", "Each network is trained with each of these: 0,1,2."),
    "ranges": (
        tuple(PRESETS),
        None,
        "What the numbers range over. By default the paper's, for a space of "
        "perceptrons mlp.",
    ),
    "stages": (int, None, "By default 4; perceptrons 3."),
    "strides": (str, None, "Of the stages: one for all, or 1,2,2. By default 2."),
    "stem": (
        ("simple", "small"),
        None,
        "small keeps the resolution. By default simple.",
    ),
    "stem_width": (int, None, "Channels of the stem. By default 32."),
    "input_size": (int, None, "Pixels of a side. By default 224; perceptrons 28."),
    "input_channels": (int, None, "By default 3; perceptrons 1."),
    "classes": (int, None, "By default 1000; perceptrons 10."),
    "flops": (
        str,
        None,
        "Multiply-adds of a network: 360e6,400e6; an end can be left out.",
    ),
    "parameters": (str, None, "Trainable parameters, likewise."),
    "activations": (str, None, "Outputs of convolutions and dense layers, likewise."),
    "show": (int, 10, "How many networks are printed."),
    "output": (str, None, "A file for all networks: a line of JSON each."),
    "study": (
        str,
        None,
        "The study, an SQLite file; an export (*.jsonl) does for looking at it.",
    ),
    "export": (
        str,
        None,
        "A text file (*.jsonl) that receives the study at the end, for version "
        "control. Where there is no study yet, it is made from this.",
    ),
    "retry_failed": (bool, False, "Networks that failed are tried once more."),
    "workers": (
        int,
        None,
        "Networks at a time. By default as many as there are CPUs (GPUs) for; 0 trains "
        "in this process, without Ray.",
    ),
    "cpus": (float, 1.0, "CPUs of a worker."),
    "gpus": (float, 0.0, "GPUs of a worker; 0.5 lets two share one."),
    "ray_address": (
        str,
        None,
        "Of a running Ray cluster (auto, or host:port). Where it has a token, set "
        "RAY_AUTH_MODE=token. By default Ray is started here.",
    ),
    "pinned": (bool, True, "Whether workers are held to cores of their own."),
    "retries": (int, 2, "How often a network is given anew where its worker died."),
    "output_dir": (str, None, "A folder for figures and report.html."),
    "formats": (str, "png,svg", "Of the figures."),
    "match": (
        ("none", *MEASURES),
        "none",
        "Compare at equal complexity: networks are weighted so that this has the same "
        "distribution in both spaces.",
    ),
    "significance": (float, 0.05, "Level of the test."),
    "max_flops": (float, None, "The most multiply-adds of a network; by default any."),
    "count": (int, 5, "How many networks are printed."),
}
"""By name."""
