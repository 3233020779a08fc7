"""The flags of scripts/finetune.py in the order of its help, and what is no field."""

from keras_regnet.training.config import OPTIMIZERS
from keras_regnet.transfer.config import BATCH_NORMS, INITS

GROUPS = {
    "What to run": ("source", "run_dir", "resume", "compare", "seeds", "seed"),
    "Data": (
        "dataset",
        "data_dir",
        "download",
        "image_size",
        "batch_size",
        "classes",
        "validation_fraction",
        "hold_out",
        "split_seed",
        "strict_data",
        "cache",
    ),
    "Augmentation": (
        "augment",
        "flip",
        "pad",
        "crop_area",
        "crop_fraction",
        "auto_augment",
        "colour_jitter",
        "random_erasing",
        "mixup_alpha",
        "cutmix_alpha",
    ),
    "The two phases": (
        "head_epochs",
        "head_learning_rate",
        "body_epochs",
        "body_learning_rate",
        "unfreeze",
        "batch_norm",
        "layer_decay",
        "init",
        "scratch_learning_rate",
    ),
    "Optimisation": (
        "optimizer",
        "momentum",
        "weight_decay",
        "warmup_epochs",
        "clip_norm",
        "label_smoothing",
        "class_weights",
        "dropout",
        "stochastic_depth",
        "precision",
    ),
    "Devices": ("strategy", "num_gpus"),
    "Output": ("publish", "publish_dir", "name", "verbose"),
}
"""Headings, and the flags under each."""

OF_THE_DATA = (*GROUPS["Data"], *GROUPS["Augmentation"])
RENAMED = {"name": "dataset", "strict": "strict_data"}
"""Fields of the data whose flag has another name."""

OF_THE_PROGRAM = {
    "source": (
        str,
        None,
        "The pretrained network: the name or folder of a published one, a run "
        "directory of scripts/train.py or of this program, or a .keras file. Needed.",
    ),
    "run_dir": (str, None, "The folder of this run. Needed."),
    "resume": (
        bool,
        False,
        "Go on with the run in --run_dir; start it if there is none. Runs of a "
        "comparison that are complete are not repeated.",
    ),
    "compare": (
        bool,
        False,
        "Train the head alone, in two phases, and from scratch, all for as many "
        "epochs, once per seed, and print a table of the accuracies. Nothing is "
        "published.",
    ),
    "seeds": (str, "0,1,2", "Of a comparison: whole numbers with commas between them."),
    "seed": (
        int,
        0,
        "Of the new weights, the order and the augmentation of images.",
    ),
    "classes": (int, None, "Number of classes the data set must have, to be sure."),
    "strategy": (
        ("auto", "single", "mirrored"),
        "auto",
        "single: one device. mirrored: all GPUs of this machine. auto: mirrored where "
        "several are visible.",
    ),
    "num_gpus": (int, None, "Use the first so many GPUs. By default all."),
    "publish": (
        bool,
        True,
        "Publish the fine-tuned network: a SavedModel with its card and metadata.",
    ),
    "publish_dir": (
        str,
        None,
        "Where it is published, as NAME/VERSION/. By default the folder published in "
        "--run_dir.",
    ),
    "name": (
        str,
        None,
        "Of the published network. By default that of the network and of the data set.",
    ),
    "verbose": (int, 1, "0 prints nothing but results and errors."),
}
"""Flags that are no field: their type or choices, default, and help."""

CHOICES = {"batch_norm": BATCH_NORMS, "init": INITS, "optimizer": OPTIMIZERS}
"""Fields that take one of some words."""

DEFAULTS = {"batch_size": 32}
"""Of fields of the data, where they are not the field's own."""

FOLLOWS = {
    "image_size": "by the source, if its images have one size; otherwise by the data "
    "set",
    "head_learning_rate": "0.1 per 128 images of a batch with sgd, otherwise 0.001",
    "body_learning_rate": "a tenth of the rule for the head",
    "scratch_learning_rate": "as the rule for the head",
    "warmup_epochs": "a fifth of the epochs, at most 5",
    "precision": "that of the source",
}
"""Defaults that follow from something else."""

HELP = {
    "dataset": "digits (embedded), the name of a TFDS data set (fashion_mnist, "
    "cifar10, ...), or folder:/path with a folder of pictures per class: "
    "train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg, of which "
    "--validation_fraction is held out.",
    "image_size": "Height and width in pixels; none: customary ones.",
    "auto_augment": "Operations drawn for each image: none, randaugment, autoaugment "
    "or trivialaugment.",
    "unfreeze": "What is trained in the second phase besides the head: all, or the "
    "number of the last stages; what is before them runs in inference mode.",
    "class_weights": "What the losses of a class are multiplied with: none; balanced, "
    "in inverse proportion to its number of images; or weights by name, as "
    "ants:1,bees:2.5, where the others have 1.",
    "precision": "A Keras dtype policy: float32, mixed_bfloat16, mixed_float16 or "
    "float64.",
    "augment": "What happens to training images: none, pad_crop, pad_crop_flip, "
    "random_resized_crop; auto: pad_crop for digits and letters, pad_crop_flip for "
    "other small images, random_resized_crop for the rest.",
}
"""Help of fields that says more to a reader of a command line than their docstring."""
