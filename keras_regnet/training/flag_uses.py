"""Which flags do something beside the others, and what they need for that.

See `flag_values.check_uses`.
"""

import keras

from keras_regnet.data.config import DataConfig, locate
from keras_regnet.training.config import TrainingConfig

Uses = dict[str, tuple[bool, str]]


def uses_of_data(config: DataConfig) -> Uses:
    """By flag, whether the data's configuration uses it, and what it would need."""
    cropped = (
        config.augment in ("auto", "random_resized_crop"),
        "--augment=random_resized_crop",
    )
    augmented = config.auto_augment != "none", "an --auto_augment"
    randaugment = config.auto_augment == "randaugment", "--auto_augment=randaugment"
    kind = _kind(config)
    other = "another --dataset: of digits always the same images are held out"
    share = kind != "digits", other
    default = config.validation_fraction == 0.1 and config.split_seed == 0
    if not (default or config.hold_out) and _has_own_validation(config):
        share = False, "--hold_out: the data set has a part of its own for validation"
    return {
        "validation_fraction": share,
        "split_seed": share,
        "cache": (kind in ("tfds", ""), "the name of a TFDS data set as --dataset"),
        "shuffle_buffer": (
            kind not in ("digits", "folder", "npz"),
            "records as --dataset: others are shuffled as a whole",
        ),
        "crop_fraction": (
            kind not in ("digits", "npz"),
            "images of many sizes as --dataset",
        ),
        "pad": (
            config.augment in ("auto", "pad_crop", "pad_crop_flip"),
            "--augment=pad_crop or pad_crop_flip",
        ),
        "crop_area": cropped,
        "crop_aspect": cropped,
        "autoaugment_policy": (
            config.auto_augment == "autoaugment",
            "--auto_augment=autoaugment",
        ),
        "auto_augment_interpolation": augmented,
        "auto_augment_fill": augmented,
        "randaugment_ops": randaugment,
        "randaugment_magnitude": randaugment,
        "randaugment_magnitude_std": randaugment,
        "randaugment_space": randaugment,
        "erasing_mode": (config.random_erasing > 0, "--random_erasing above 0"),
        "mix_probability": (
            config.mixup_alpha + config.cutmix_alpha > 0,
            "--mixup_alpha or --cutmix_alpha above 0",
        ),
        "first_label": (
            config.name.startswith("tfrecord"),
            "--dataset=tfrecord:/path",
        ),
    }


def _has_own_validation(config: DataConfig) -> bool:
    """As `description.has_own_validation`; not known without TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return False
    from keras_regnet.data.description import has_own_validation

    return has_own_validation(config)


def _kind(config: DataConfig) -> str:
    """As `locate` says; nothing where the folder is not given: others say so."""
    try:
        return locate(config)[0]
    except ValueError:
        return ""


def uses_of_training(config: TrainingConfig) -> Uses:
    """By flag, whether the training's configuration uses it, and what it would need."""
    adaptive = config.optimizer != "sgd", "--optimizer=adamw, lamb or rmsprop"
    decaying = (
        config.schedule in ("step", "exponential"),
        "--schedule=step or exponential",
    )
    warm = config.warmup_epochs > 0, "--warmup_epochs above 0"
    averaged = config.ema_decay > 0, "--ema_decay above 0"
    return {
        "nesterov": (
            config.optimizer == "sgd" or not config.nesterov,
            "--optimizer=sgd",
        ),
        "second_moment_decay": adaptive,
        "epsilon": adaptive,
        "decay_every_epochs": decaying,
        "decay_factor": decaying,
        "final_learning_rate_factor": (
            config.schedule != "constant",
            "a --schedule that is not constant",
        ),
        "warmup_factor": warm,
        "warmup_mode": warm,
        "ema_every_steps": averaged,
        "ema_copies_in_warmup": averaged,
    }
