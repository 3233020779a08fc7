"""How a pretrained network is fine-tuned: one frozen dataclass that checks itself."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from keras_regnet.architecture.checks import read_fields
from keras_regnet.training import checks
from keras_regnet.training.config import OPTIMIZERS, WITH_FACTORS
from keras_regnet.training.model_config import PRECISIONS

BATCH_NORMS = ("auto", "frozen", "trained")
INITS = ("pretrained", "scratch")
LEAST_FOR_STATISTICS = 32
"""Images per device from which on "auto" lets batch normalisation learn."""

_CUSTOMARY = {"sgd": 0.1}  # learning rate per 128 images; of the others 0.001
_BODY = 0.1  # times that of the head


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """The two phases of fine-tuning, and what moves in them.

    In the first phase the new head alone is trained, on a body in inference mode. In
    the second the last stages, or all of the network, are trained at a lower rate.
    Either may have no epochs.

    Attributes:
        head_epochs: Epochs of the first phase.
        body_epochs: Epochs of the second phase.
        head_learning_rate: Highest learning rate of the first phase. The head of a
            small network, with few features, may want ten times more than the default.
            None: 0.1 per 128 images of a batch with sgd, 0.001 with the others.
        body_learning_rate: Of the second phase. None: a tenth of the head's rule.
        scratch_learning_rate: Where `init` is `"scratch"`. None: the head's rule, which
            is also that of training from the beginning.
        unfreeze: What is trained in the second phase besides the head: `"all"`, or the
            number of the last stages; what is before them runs in inference mode.
        batch_norm: Batch normalisations in the second phase. `"frozen"`: they run in
            inference mode, with the statistics, scales and shifts of the source;
            `"trained"`: they use and learn those of the new images; `"auto"`: trained
            from 32 images per device on, since statistics of fewer are noise.
        layer_decay: What the learning rate is multiplied with from each block to the
            one before it in the second phase: the head has the rate itself, the last
            block `layer_decay` times that, and the stem the least. 1: the same
            everywhere. With sgd and rmsprop.
        class_weights: What the losses of a class are multiplied with: `"none"`;
            `"balanced"`, in inverse proportion to its number of images, on average 1;
            or a weight for each of some classes by name, where the others have 1.
            Validation losses are weighted too.
        init: `"pretrained"`, or `"scratch"` for a comparison: random weights, one
            phase of all the epochs in which everything is trained.
        optimizer: `"sgd"`, `"adamw"`, `"rmsprop"` or `"lamb"`, as in
            `training.TrainingConfig`.
        momentum: Of sgd and rmsprop, in [0, 1); the decay of the mean gradient of adamw
            and lamb.
        weight_decay: Factor of the weights that is added to their gradient; with adamw
            and lamb they decay apart from it, by the learning rate times the factor.
        label_smoothing: Share of the target that is spread over all classes.
        warmup_epochs: Linear warm-up of the second phase, or from scratch. None: a
            fifth of the epochs, at most 5.
        clip_norm: The gradient of all weights together is made no longer than this.
            None: it is left as it is.
        dropout: Rate of the dropout before the classifier.
        stochastic_depth: Probability of leaving out the last block's branch, where it
            is trained.
        precision: A Keras dtype policy. None: that of the source.

    Raises:
        ValueError: A value is out of its range; the message names it.
    """

    head_epochs: int = 5
    body_epochs: int = 15
    head_learning_rate: float | None = None
    body_learning_rate: float | None = None
    scratch_learning_rate: float | None = None
    unfreeze: str | int = "all"
    batch_norm: str = "auto"
    layer_decay: float = 1.0
    class_weights: str | Mapping[str, float] = "none"
    init: str = "pretrained"
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-5
    label_smoothing: float = 0.0
    warmup_epochs: float | None = None
    clip_norm: float | None = None
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    precision: str | None = None

    def __post_init__(self) -> None:
        checks.whole(self, 0, "head_epochs", "body_epochs")
        checks.above_zero(
            self,
            "head_learning_rate",
            "body_learning_rate",
            "scratch_learning_rate",
            "layer_decay",
            "clip_norm",
        )
        checks.not_negative(self, "weight_decay", "warmup_epochs")
        checks.below_one(
            self, "momentum", "label_smoothing", "dropout", "stochastic_depth"
        )
        checks.choice(self, "optimizer", OPTIMIZERS)
        checks.choice(self, "batch_norm", BATCH_NORMS)
        checks.choice(self, "init", INITS)
        if self.precision is not None:
            checks.choice(self, "precision", PRECISIONS)
        if not self.epochs:
            checks.refuse(self, "head_epochs", "above 0 where body_epochs is 0")
        if self.unfreeze != "all":
            whole = isinstance(self.unfreeze, int)
            if not whole or isinstance(self.unfreeze, bool) or self.unfreeze < 1:
                checks.refuse(self, "unfreeze", '"all" or a number of stages above 0')
        if self.layer_decay > 1:
            checks.refuse(self, "layer_decay", "at most 1")
        if self.layer_decay != 1 and self.optimizer not in WITH_FACTORS:
            checks.refuse(
                self,
                "layer_decay",
                f"1 with {self.optimizer}, which is Keras' own and has one learning "
                f"rate for all layers ({' and '.join(WITH_FACTORS)} have more)",
            )
        if self.init == "scratch" and self.batch_norm == "frozen":
            checks.refuse(self, "batch_norm", '"trained" or "auto" from scratch')
        moving = self.epochs if self.init == "scratch" else self.body_epochs
        if moving and (self.warmup_epochs or 0) > moving:
            checks.refuse(self, "warmup_epochs", f"at most {moving}, the epochs")
        self._check_class_weights()

    def _check_class_weights(self) -> None:
        weights = self.class_weights
        if isinstance(weights, str):
            checks.choice(self, "class_weights", ("none", "balanced"))
            return
        if not isinstance(weights, Mapping) or not all(
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 < value < float("inf")
            for value in weights.values()
        ):
            checks.refuse(
                self, "class_weights", '"none", "balanced" or numbers above 0 by class'
            )
        object.__setattr__(self, "class_weights", dict(weights))

    @property
    def epochs(self) -> int:
        """Epochs of both phases."""
        return self.head_epochs + self.body_epochs

    def rate(self, phase: str, batch_size: int) -> float:
        """The highest learning rate of a phase.

        Args:
            phase: "head", "body" or "scratch".
            batch_size: Images of a step, over all devices.
        """
        given = getattr(self, f"{phase}_learning_rate")
        if given is not None:
            return given
        rate = _CUSTOMARY.get(self.optimizer, 0.001) * batch_size / 128
        return rate * _BODY if phase == "body" else rate

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration that `to_dict` described.

        Raises:
            ValueError: A key is not a field, or a value is out of its range.
        """
        return read_fields(cls, values)
