"""What a phase trains: its epochs, its learning rate, and the layers that move."""

import dataclasses

from keras_regnet.training import TrainingConfig
from keras_regnet.transfer.config import LEAST_FOR_STATISTICS, FineTuneConfig


@dataclasses.dataclass(frozen=True)
class Phase:
    """One of the trainings that fine-tuning consists of.

    Attributes:
        name: "head", "body" or "scratch"; also its folder.
        training: How the weights move.
        unfreeze: How many of the last stages move besides the head; "all" for the
            whole network.
        train_batch_norm: Whether the batch normalisations in what moves do, too.
        reason: Why they do or not.
        layer_decay: Of the learning rate, from each block to the one before it.
    """

    name: str
    training: TrainingConfig
    unfreeze: int | str
    train_batch_norm: bool
    reason: str
    layer_decay: float = 1.0

    def __str__(self) -> str:
        moving = {
            0: "the head alone, on a body in inference mode",
            "all": "the whole network",
        }.get(self.unfreeze, f"the head and the last {self.unfreeze} stage(s)")
        text = (
            f"{self.name}: {self.training.epochs} epochs at a learning rate of "
            f"{self.training.learning_rate:.4g}, {moving}"
        )
        if self.layer_decay != 1:
            text += f", {self.layer_decay:g} times less from block to block"
        if self.unfreeze != 0:
            kind = "trained" if self.train_batch_norm else "frozen"
            text += f"; batch normalisation {kind}: {self.reason}"
        return text


def phases_of(
    config: FineTuneConfig, batch_size: int, devices: int = 1
) -> tuple[Phase, ...]:
    """The phases of a fine-tuning, without those that have no epochs.

    Args:
        config: The configuration.
        batch_size: Images of a step, over all devices.
        devices: Their number.
    """
    if config.init == "scratch":
        training = _training(config, "scratch", config.epochs, batch_size)
        reason = "random weights have no statistics"
        return (Phase("scratch", training, "all", True, reason),)
    found = []
    if config.head_epochs:
        training = _training(config, "head", config.head_epochs, batch_size)
        found.append(Phase("head", training, 0, False, "the body stands still"))
    if config.body_epochs:
        training = _training(config, "body", config.body_epochs, batch_size)
        trained, reason = _batch_norm(config.batch_norm, batch_size // devices)
        found.append(
            Phase(
                "body", training, config.unfreeze, trained, reason, config.layer_decay
            )
        )
    return tuple(found)


def _batch_norm(policy: str, images: int) -> tuple[bool, str]:
    """Whether batch normalisation is trained, and why."""
    if policy != "auto":
        return policy == "trained", "as asked"
    trained = images >= LEAST_FOR_STATISTICS
    relation = "at least" if trained else "fewer than"
    return trained, (
        f"{images} images per device are {relation} the {LEAST_FOR_STATISTICS} from "
        "which on their statistics are no noise"
    )


def _training(
    config: FineTuneConfig, phase: str, epochs: int, batch_size: int
) -> TrainingConfig:
    warmup = 0.0
    if phase != "head":
        warmup = config.warmup_epochs
        warmup = min(5.0, epochs / 5) if warmup is None else warmup
    weighted = config.class_weights != "none"  # the loss then is not the default one
    return TrainingConfig(
        epochs=epochs,
        optimizer=config.optimizer,
        learning_rate=config.rate(phase, batch_size),
        momentum=config.momentum,
        nesterov=config.optimizer == "sgd" and config.momentum > 0,
        weight_decay=config.weight_decay,
        label_smoothing=0.0 if weighted else config.label_smoothing,
        warmup_epochs=warmup,
        clip_norm=config.clip_norm,
    )
