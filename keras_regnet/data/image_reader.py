"""From the bytes or the pixels of any image to what one network takes."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import keras
import tensorflow as tf

from keras_regnet.data import transforms
from keras_regnet.data.image_files import decode
from keras_regnet.data.layouts import SMALL
from keras_regnet.preprocessing import PreprocessingSpec, preprocessing_for
from keras_regnet.preprocessing.normalization import normalize

KINDS = ("whole", "centre_crop", "specification")
_DEFAULT_SIZE = 224


@dataclasses.dataclass(frozen=True)
class ImageReader:
    """What is done with an image before a network, as it was done in its evaluation.

    All of it is TensorFlow operations, so that it can be part of a graph.

    Attributes:
        kind: `"whole"`: the whole image is resized; `"centre_crop"`: the middle is cut
            out, as data pipelines of this package do it; `"specification"`: as
            `specification` says, with Pillow's pixels.
        height: Of the result, in pixels.
        width: Of the result.
        channels: Of the result; encoded images are converted.
        crop_fraction: With `"centre_crop"`: its share of the resized shorter side.
        specification: Of the network, where it has one.
        normalized: Whether the result is scaled and normalised by it. Otherwise it has
            numbers of 0 to 255.

    Raises:
        ValueError: The values are impossible, or do not go together.
    """

    kind: Literal["whole", "centre_crop", "specification"]
    height: int
    width: int
    channels: int
    crop_fraction: float = 0.875
    specification: PreprocessingSpec | None = None
    normalized: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}. Received: {self.kind!r}")
        for name in ("height", "width", "channels"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{name} must be a positive integer. Received: {name}={value!r}"
                )
        if self.kind != "whole" and self.height != self.width:
            raise ValueError(
                f"{self.kind!r} gives square images. Received: height={self.height}, "
                f"width={self.width}"
            )
        if not 0 < self.crop_fraction <= 1:
            raise ValueError(
                "crop_fraction must lie above 0 and at most at 1. Received: "
                f"{self.crop_fraction!r}"
            )
        needed = self.kind == "specification" or self.normalized
        found = self.specification
        if needed and (found is None or found.channels != self.channels):
            raise ValueError(
                f"A specification for {self.channels} channels is needed. Received: "
                f"kind={self.kind!r}, normalized={self.normalized}, "
                f"specification={found!r}"
            )

    def __call__(self, encoded: tf.Tensor) -> tf.Tensor:
        """Reads one image file.

        Args:
            encoded: The bytes of a JPEG, PNG, BMP, GIF (first frame) or WebP; a string
                scalar.

        Returns:
            float32 `(height, width, channels)`.
        """
        return self.pixels(decode(encoded, self.channels)[None])[0]

    def pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Reads decoded images.

        Args:
            images: `(n, any height, any width, channels)` of 0 to 255.

        Returns:
            float32 `(n, height, width, channels)`.
        """
        if self.kind == "specification":
            prepare = preprocessing_for(self.specification, normalize=False)
            images = prepare.layer()(images)
        elif self.kind == "centre_crop":
            images = transforms.resize_and_crop(images, self.height, self.crop_fraction)
        else:
            images = transforms.resize(images, self.height, self.width)
        if self.normalized:
            images = normalize(images, self.specification)
        return images

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON types."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        if self.specification is not None:
            values["specification"] = self.specification.to_dict()
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImageReader":
        """The inverse of `to_dict`.

        Raises:
            ValueError: A name is unknown or missing, or a value is impossible.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        required = {"kind", "height", "width", "channels"}
        if not required <= set(values) <= known:
            raise ValueError(
                f"An image reader has the entries {sorted(known)}, of which "
                f"{sorted(required)} are needed. Received: {sorted(values)}"
            )
        specification = values.get("specification")
        if specification is not None:
            specification = PreprocessingSpec.from_dict(specification)
        return cls(**{**values, "specification": specification})

    @classmethod
    def for_model(
        cls,
        model: keras.Model,
        *,
        centre_cropped: bool | None = None,
        crop_fraction: float = 0.875,
        size: int | None = None,
    ) -> "ImageReader":
        """What a model's images need.

        Args:
            model: It says itself what it expects where it was built with pretrained
                weights or with `include_preprocessing=True`.
            centre_cropped: Whether it was evaluated on the middle of its images
                (True) or on whole ones (False). None: as the model says, or else on
                the middle of those of more than 96 pixels.
            crop_fraction: See the class.
            size: Side of the images, where the model takes any. By default what the
                model says, otherwise 224.

        Returns:
            The reader.
        """
        height, width, channels = model.input_shape[1:]
        try:
            prepare = preprocessing_for(model)
        except ValueError:
            prepare = None
        if size is None and prepare is not None:
            size = prepare.specification.image_size
        height, width = height or size or _DEFAULT_SIZE, width or size or _DEFAULT_SIZE
        specification = None
        if prepare is not None:
            specification = prepare.specification.for_size(height)
        # Networks for small images that normalise by themselves saw whole ones.
        says = prepare is not None and (prepare.normalize or height > SMALL)
        if centre_cropped is None and says:
            kind = "specification"
        elif centre_cropped is None:
            kind = "centre_crop" if height > SMALL else "whole"
        else:
            kind = "centre_crop" if centre_cropped else "whole"
        if height != width:
            kind = "whole"
        return cls(
            kind,
            height,
            width,
            channels,
            crop_fraction,
            specification,
            prepare is not None and prepare.normalize,
        )
