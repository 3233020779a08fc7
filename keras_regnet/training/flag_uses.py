"""Flags of scripts/train.py that only mean something beside others."""

from collections.abc import Callable, Iterable
from types import MappingProxyType

from keras_regnet.training.recipes import RunConfig

_ADAPTIVE = (
    "--optimizer=adamw, lamb or rmsprop",
    lambda c: c.training.optimizer != "sgd",
)
_DECAYING = (
    "--schedule=step or exponential",
    lambda c: c.training.schedule in ("step", "exponential"),
)
_WARM = ("--warmup_epochs above 0", lambda c: c.training.warmup_epochs > 0)
_AVERAGED = ("--ema_decay above 0", lambda c: c.training.ema_decay > 0)
_RANDAUGMENT = (
    "--auto_augment=randaugment",
    lambda c: c.data.auto_augment == "randaugment",
)
_AUTO_AUGMENT = ("an --auto_augment", lambda c: c.data.auto_augment != "none")
_CROPPED = (
    "--augment=random_resized_crop",
    lambda c: c.data.augment in ("auto", "random_resized_crop"),
)

_USES: MappingProxyType[str, tuple[str, Callable[[RunConfig], bool]]] = (
    MappingProxyType(
        {
            "nesterov": (
                "--optimizer=sgd",
                lambda c: c.training.optimizer == "sgd" or not c.training.nesterov,
            ),
            "second_moment_decay": _ADAPTIVE,
            "epsilon": _ADAPTIVE,
            "decay_every_epochs": _DECAYING,
            "decay_factor": _DECAYING,
            "final_learning_rate_factor": (
                "a --schedule that is not constant",
                lambda c: c.training.schedule != "constant",
            ),
            "warmup_factor": _WARM,
            "warmup_mode": _WARM,
            "ema_every_steps": _AVERAGED,
            "ema_copies_in_warmup": _AVERAGED,
            "pad": (
                "--augment=pad_crop or pad_crop_flip",
                lambda c: c.data.augment in ("auto", "pad_crop", "pad_crop_flip"),
            ),
            "crop_area": _CROPPED,
            "crop_aspect": _CROPPED,
            "autoaugment_policy": (
                "--auto_augment=autoaugment",
                lambda c: c.data.auto_augment == "autoaugment",
            ),
            "auto_augment_interpolation": _AUTO_AUGMENT,
            "auto_augment_fill": _AUTO_AUGMENT,
            "randaugment_ops": _RANDAUGMENT,
            "randaugment_magnitude": _RANDAUGMENT,
            "randaugment_magnitude_std": _RANDAUGMENT,
            "randaugment_space": _RANDAUGMENT,
            "erasing_mode": (
                "--random_erasing above 0",
                lambda c: c.data.random_erasing > 0,
            ),
            "mix_probability": (
                "--mixup_alpha or --cutmix_alpha above 0",
                lambda c: c.data.mixup_alpha + c.data.cutmix_alpha > 0,
            ),
            "first_label": (
                "--dataset=tfrecord:/path",
                lambda c: c.data.name.startswith("tfrecord"),
            ),
        }
    )
)


def check_uses(given: Iterable[str], config: RunConfig) -> None:
    """Checks that every flag that was given changes something.

    Args:
        given: The names of the flags on the command line.
        config: What all flags come to.

    Raises:
        ValueError: A flag does nothing beside the others.
    """
    for name in given:
        if name in _USES:
            needed, is_used = _USES[name]
            if not is_used(config):
                raise ValueError(
                    f"--{name} does nothing without {needed}. Received: --{name} "
                    "beside other settings"
                )
