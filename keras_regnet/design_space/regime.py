"""How every network of a population is trained: one frozen dataclass."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from keras_regnet.architecture.checks import read_fields
from keras_regnet.data.config import DataConfig
from keras_regnet.training import checks
from keras_regnet.training.config import TrainingConfig

PRECISIONS = ("float32", "mixed_bfloat16")
OF_EACH_MACHINE = ("data_dir",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regime:
    """A small, fixed way to train, so that networks can be compared by their errors.

    Momentum and schedule are the paper's: Nesterov's momentum of 0.9, weight decay in
    the gradient, and half a cosine from `learning_rate` to 0 over all steps, without a
    warm-up. The defaults of rate, decay, batch and epochs are those of its section 3.

    Networks are judged by images that are held out of the training part, the same for
    all. What a data set has as its validation or test part is never read.

    Attributes:
        data: A data set of small images of one size, by the names of
            `keras_regnet.data.DataConfig`.
        data_dir: Where it is on this machine, as in `DataConfig`; no part of the
            regime's identity.
        image_size: Height and width in pixels; None for the data set's own.
        train_images: How many images a network is trained with; None for all that are
            not held out.
        validation_fraction: Share of each class that is held out.
        split_seed: Chooses which images those are, and which are trained with.
        augment: Whether training images are shifted by up to an eighth of their height
            and, where the classes survive it, mirrored.
        epochs: Passes over the training images.
        batch_size: Images of a step; an incomplete last batch is left out.
        learning_rate: That of the first step.
        weight_decay: Of all weights.
        precision: `"float32"`, or `"mixed_bfloat16"` with float32 weights.

    Raises:
        ValueError: A value is out of its range.
    """

    data: str = "digits"
    data_dir: str | None = None
    image_size: int | None = None
    train_images: int | None = None
    validation_fraction: float = 0.2
    split_seed: int = 0
    augment: bool = True
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.05
    weight_decay: float = 5e-5
    precision: str = "float32"

    def __post_init__(self) -> None:
        checks.whole(self, 1, "epochs", "batch_size")
        checks.whole(self, 0, "split_seed")
        if self.train_images is not None:
            checks.whole(self, 1, "train_images")
        checks.above_zero(self, "learning_rate", "validation_fraction")
        checks.below_one(self, "validation_fraction")
        checks.not_negative(self, "weight_decay")
        checks.boolean(self, "augment")
        checks.choice(self, "precision", PRECISIONS)
        if self.split_seed >= 2**32:
            checks.refuse(self, "split_seed", "below 2**32")
        if self.train_images is not None and self.train_images < self.batch_size:
            checks.refuse(
                self, "train_images", f"at least batch_size ({self.batch_size})"
            )
        self.data_config()

    def data_config(self) -> DataConfig:
        """The data set, as `keras_regnet.data` finds it."""
        return DataConfig(
            name=self.data,
            data_dir=self.data_dir,
            image_size=self.image_size,
            batch_size=self.batch_size,
            cache=True,
        )

    def training_config(self) -> TrainingConfig:
        """The training, as `keras_regnet.training` has it."""
        return TrainingConfig(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            warmup_epochs=0.0,
        )

    def located(self, data_dir: str | None) -> Self:
        """The same regime, with the data in this folder."""
        return dataclasses.replace(self, data_dir=data_dir)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that two regimes share only where they are equal.

        Where the data are on a machine does not count.
        """
        text = json.dumps(self.identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def identity(self) -> dict[str, Any]:
        """The fields that make a regime this one and no other."""
        return {k: v for k, v in self.to_dict().items() if k not in OF_EACH_MACHINE}

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The regime that `to_dict` described.

        Raises:
            ValueError: A key is not a field, or a value is out of its range.
        """
        return read_fields(cls, values)
