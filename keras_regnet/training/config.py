"""How a network is trained: one frozen dataclass that checks itself."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from keras_regnet.architecture.checks import read_fields
from keras_regnet.optimizers.groups import GROUPS, decay_of
from keras_regnet.training import checks

OPTIMIZERS = ("sgd", "adamw", "rmsprop", "lamb")
WITH_FACTORS = ("sgd", "rmsprop")  # that can give each layer a rate of its own
SCHEDULES = ("cosine", "constant", "step", "exponential")
GRANULARITIES = ("step", "epoch")
WARMUP_MODES = ("multiplied", "replacing", "preceding")
LOSSES = ("cross_entropy", "binary_cross_entropy")
ON_NAN = ("stop", "skip")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Everything that decides how the weights move, and when they are written.

    The defaults are the recipe of the published networks (`core/config.py` of pycls),
    for a batch of 128 images, except that the learning rate moves at every step and
    that precise batch normalisation is off. The batch size belongs to the data set,
    the precision and dropout to the model.

    Attributes:
        epochs: Number of passes over the training data.
        optimizer: `"sgd"` (torch's, with coupled decay), `"adamw"`, `"rmsprop"` (with
            coupled decay and the epsilon inside the root, as TensorFlow 1 had it) or
            `"lamb"`.
        learning_rate: The highest learning rate. The official rule is 0.1 per 128
            images of the global batch.
        momentum: Of sgd and rmsprop, in [0, 1); the decay of the mean gradient of
            adamw and lamb (beta 1).
        nesterov: Whether the momentum is Nesterov's; of sgd alone.
        second_moment_decay: Decay of the mean squared gradient: beta 2 of adamw and
            lamb (None: 0.999), rho of rmsprop (None: 0.9).
        epsilon: Of adamw (None: 1e-8), lamb (None: 1e-6) and rmsprop (None: 1e-3).
        weight_decay: Factor of the weights that is added to their gradient before the
            momentum (coupled decay, as torch's; *not* the decoupled one of Keras).
            adamw and lamb are Keras' own: they decay by the learning rate times it,
            apart from the gradient, and lamb also apart from its trust ratio.
        norm_weight_decay: Weight decay of the scales and shifts of normalisations.
            None: as `weight_decay`, which is the official recipe.
        bias_weight_decay: Weight decay of all other biases, that is those of the head
            and of squeeze-and-excitation. None: as `weight_decay`.
        schedule: `"cosine"` (half a period), `"constant"`, `"step"` (times
            `decay_factor` after every `decay_every_epochs`) or `"exponential"` (the
            same, but smoothly).
        schedule_granularity: `"step"`, or `"epoch"` to set the rate once per epoch, as
            the official code does.
        warmup_epochs: Length of the linear warm-up; may be fractional or zero.
        warmup_factor: Fraction of the rate with which the warm-up starts.
        warmup_mode: `"multiplied"`: a factor on the scheduled rate (pycls);
            `"replacing"`: a straight line up to `learning_rate` while the schedule's
            clock already runs (timm); `"preceding"`: the same line, after which the
            schedule begins, with the epochs that are left (torchvision).
        decay_every_epochs: Epochs in which the schedules `"step"` and `"exponential"`
            bring the rate down by `decay_factor`.
        decay_factor: What they multiply the rate with.
        final_learning_rate_factor: Where the cosine ends, and the least that `"step"`
            and `"exponential"` come to, as a fraction of `learning_rate`.
        cooldown_epochs: Last epochs at the least rate, for which the cosine ends
            earlier.
        label_smoothing: Share of the target that is spread over all classes.
        loss: `"cross_entropy"`, or `"binary_cross_entropy"`: every class is a yes or
            no of its own.
        clip_norm: The gradient of all weights together is made no longer than this.
            None: it is left as it is.
        accumulation: Pieces into which each device cuts its share of a batch; their
            gradients are added up before the weights move.
        on_nan: What happens where the loss of a step is not finite: `"stop"`, or
            `"skip"` to leave the weights as they are and go on.
        jit_compile: Whether XLA compiles the training step.
        ema_decay: Decay of the exponential moving average of the weights and of the
            statistics of batch normalisation, per update of it; it warms up, see
            `averaging.average_rates`. 0: no average.
        ema_every_steps: Steps between two updates of the average.
        ema_copies_in_warmup: Whether the average is a plain copy during the warm-up.
        precise_bn_images: Training images from which the statistics of batch
            normalisation are taken anew before every evaluation. 0: those of the
            running average are used.
        validate_every_epochs: The network is judged after so many epochs, and after
            the last. 0: only after the last, as is right for a test part.
        checkpoint_every_epochs: A checkpoint is written after so many epochs, and
            after the last. 0: only after the last.
        checkpoint_every_steps: A checkpoint is also written after so many steps, over
            the whole run. 0: none.
        checkpoint_every_minutes: A checkpoint is also written after so many minutes.
            0: none.
        keep_checkpoints: How many of the last checkpoints stay on the disk.
        log_every_steps: Steps between two lines of `metrics.jsonl`.
        steps_per_execution: Training steps in one call of the compiled function. More
            costs nothing but the moments at which progress is shown; it helps where a
            step takes less than a few milliseconds.

    Raises:
        ValueError: A value is out of its range.
    """

    epochs: int
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    second_moment_decay: float | None = None
    epsilon: float | None = None
    weight_decay: float = 5e-5
    norm_weight_decay: float | None = None
    bias_weight_decay: float | None = None
    schedule: str = "cosine"
    schedule_granularity: str = "step"
    warmup_epochs: float = 5.0
    warmup_factor: float = 0.1
    warmup_mode: str = "multiplied"
    decay_every_epochs: float = 30.0
    decay_factor: float = 0.1
    final_learning_rate_factor: float = 0.0
    cooldown_epochs: float = 0.0
    label_smoothing: float = 0.0
    loss: str = "cross_entropy"
    clip_norm: float | None = None
    accumulation: int = 1
    on_nan: str = "stop"
    jit_compile: bool = False
    ema_decay: float = 0.0
    ema_every_steps: int = 1
    ema_copies_in_warmup: bool = False
    precise_bn_images: int = 0
    validate_every_epochs: int = 1
    checkpoint_every_epochs: int = 1
    checkpoint_every_steps: int = 0
    checkpoint_every_minutes: float = 10.0
    keep_checkpoints: int = 2
    log_every_steps: int = 50
    steps_per_execution: int = 1

    def __post_init__(self) -> None:
        checks.whole(
            self,
            1,
            "epochs",
            "accumulation",
            "ema_every_steps",
            "keep_checkpoints",
            "log_every_steps",
            "steps_per_execution",
        )
        checks.whole(
            self,
            0,
            "precise_bn_images",
            "validate_every_epochs",
            "checkpoint_every_epochs",
            "checkpoint_every_steps",
        )
        checks.above_zero(
            self,
            "learning_rate",
            "decay_every_epochs",
            "decay_factor",
            "clip_norm",
            "epsilon",
        )
        checks.not_negative(
            self,
            "weight_decay",
            "norm_weight_decay",
            "bias_weight_decay",
            "warmup_epochs",
            "cooldown_epochs",
            "checkpoint_every_minutes",
        )
        checks.below_one(
            self, "momentum", "second_moment_decay", "label_smoothing", "ema_decay"
        )
        checks.share(self, "warmup_factor", "final_learning_rate_factor")
        checks.boolean(self, "nesterov", "ema_copies_in_warmup", "jit_compile")
        checks.choice(self, "optimizer", OPTIMIZERS)
        checks.choice(self, "schedule", SCHEDULES)
        checks.choice(self, "schedule_granularity", GRANULARITIES)
        checks.choice(self, "warmup_mode", WARMUP_MODES)
        checks.choice(self, "loss", LOSSES)
        checks.choice(self, "on_nan", ON_NAN)
        self._check_together()

    def _check_together(self) -> None:
        """Checks what two fields must have in common."""
        if self.optimizer == "sgd" and self.nesterov and self.momentum == 0:
            checks.refuse(self, "nesterov", "False where momentum is 0")
        if self.decay_factor > 1:
            checks.refuse(self, "decay_factor", "at most 1")
        if self.warmup_epochs > self.epochs:
            checks.refuse(self, "warmup_epochs", f"at most epochs ({self.epochs})")
        if self.cooldown_epochs and self.schedule != "cosine":
            checks.refuse(self, "cooldown_epochs", "0 unless the schedule is cosine")
        if self.optimizer in ("adamw", "lamb"):
            for name in ("norm_weight_decay", "bias_weight_decay"):
                if getattr(self, name) not in (None, 0, self.weight_decay):
                    checks.refuse(
                        self, name, f"None, 0 or weight_decay with {self.optimizer}"
                    )
        left = self.epochs - self.warmup_epochs
        if self.cooldown_epochs and self.cooldown_epochs >= left:
            checks.refuse(
                self, "cooldown_epochs", f"less than the {left:g} epochs after warm-up"
            )

    @property
    def decays(self) -> dict[str, float]:
        """The weight decay of each of `keras_regnet.optimizers.GROUPS`."""
        numbers = (self.weight_decay, self.norm_weight_decay, self.bias_weight_decay)
        return {group: decay_of(group, *numbers) for group in GROUPS}

    @classmethod
    def for_batch_size(
        cls,
        batch_size: int,
        *,
        epochs: int,
        learning_rate: float | None = None,
        warmup_epochs: float | None = None,
        **fields: Any,
    ) -> Self:
        """A configuration whose learning rate and warm-up follow from other numbers.

        Args:
            batch_size: Images per step, over all devices together.
            epochs: Number of epochs.
            learning_rate: None for the official rule, 0.1 per 128 images.
            warmup_epochs: None for the official 5 epochs, or for a fifth of the epochs
                where that is less.
            **fields: Further fields.

        Returns:
            A configuration.

        Raises:
            ValueError: A value is out of its range.
        """
        if learning_rate is None:
            learning_rate = 0.1 * batch_size / 128
        if warmup_epochs is None:
            warmup_epochs = min(5.0, epochs / 5)
        return cls(
            epochs=epochs,
            learning_rate=learning_rate,
            warmup_epochs=warmup_epochs,
            **fields,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that `to_dict` described.

        Raises:
            ValueError: A key is not a field, `epochs` is missing, or a value is out of
                its range.
        """
        return read_fields(cls, values)
