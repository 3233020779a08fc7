"""What must happen to pixels before a given set of weights, as a few values."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, Literal

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's training pixels, red, green, blue, on a scale of 0 to 1."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of the same, on the same scale. Not the variance."""

INTERPOLATIONS = ("bilinear", "bicubic")
CHANNEL_ORDERS = ("rgb", "bgr")


def channel_statistics(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """ImageNet's mean and standard deviation for a number of channels.

    Args:
        channels: With 3, those of red, green and blue. Otherwise every channel gets
            their average, as is customary for grey images.
    """
    if channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    return _averages(IMAGENET_MEAN, channels), _averages(IMAGENET_STD, channels)


def _averages(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """The average of the values, for each of so many channels."""
    return (round(sum(values) / len(values), 6),) * channels


@dataclasses.dataclass(frozen=True)
class PreprocessingSpec:
    """Resize, crop, scale, normalise: what a set of weights expects of its images.

    The shorter side of an image is resized to `resize_size` and the other side in
    proportion, rounded down; the middle `image_size` x `image_size` pixels are cut
    out; pixels of 0 to 255 become `(pixels / 255 - mean) / std`. The last step, if
    `channel_order` is `"bgr"`, reverses the channels.

    Attributes:
        image_size: Side of the crop, in pixels.
        resize_size: Shorter side before the crop, in pixels; at least `image_size`.
        interpolation: `"bilinear"` or `"bicubic"`, both smoothed where the image
            shrinks, as Pillow does it.
        mean: Per channel, on a scale of 0 to 1; for colours in the order red, green,
            blue, whatever `channel_order` is.
        std: Standard deviation per channel, likewise.
        channel_order: The order in which the network takes the channels. Images are
            always given as red, green, blue.

    Raises:
        ValueError: A value is impossible; the message names it.
    """

    image_size: int
    resize_size: int
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    channel_order: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        for name in ("image_size", "resize_size"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}"
                )
            object.__setattr__(self, name, int(value))
        if self.resize_size < self.image_size:
            raise ValueError(
                "`resize_size` must be at least `image_size`, which is cut out of it. "
                f"Received: resize_size={self.resize_size}, "
                f"image_size={self.image_size}"
            )
        for name, choices in (
            ("interpolation", INTERPOLATIONS),
            ("channel_order", CHANNEL_ORDERS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, choices))}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        if len(self.mean) != len(self.std):
            raise ValueError(
                "`mean` and `std` must have a number per channel. Received: "
                f"mean={self.mean}, std={self.std}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"`std` must be positive. Received: std={self.std}")
        if self.channel_order == "bgr" and self.channels != 3:
            raise ValueError(
                "`channel_order='bgr'` is for three channels. Received: "
                f"mean={self.mean}"
            )

    @classmethod
    def of_crop_fraction(
        cls, image_size: int, crop_fraction: float, **values: Any
    ) -> "PreprocessingSpec":
        """The specification where the crop is stated as a share of the resized image.

        Args:
            image_size: Side of the crop, in pixels.
            crop_fraction: In (0, 1]; the shorter side is `image_size / crop_fraction`,
                rounded down, as timm's `crop_pct` means it.
            **values: The other attributes.
        """
        if not isinstance(crop_fraction, numbers.Real) or not 0 < crop_fraction <= 1:
            raise ValueError(
                "`crop_fraction` must lie above 0 and at most at 1. Received: "
                f"crop_fraction={crop_fraction!r}"
            )
        return cls(image_size, math.floor(image_size / crop_fraction), **values)

    @property
    def crop_fraction(self) -> float:
        """The crop's share of the resized image's shorter side."""
        return self.image_size / self.resize_size

    @property
    def channels(self) -> int:
        """How many channels the images have."""
        return len(self.mean)

    def for_channels(self, channels: int) -> "PreprocessingSpec":
        """The same for images of another number of channels.

        Each channel gets the average of the means and of the standard deviations.
        """
        if channels == self.channels:
            return self
        return dataclasses.replace(
            self,
            mean=_averages(self.mean, channels),
            std=_averages(self.std, channels),
            channel_order="rgb",
        )

    def for_size(self, image_size: int) -> "PreprocessingSpec":
        """The same for another size of the crop, with the resize in proportion."""
        resize_size = self.resize_size * image_size // self.image_size
        return dataclasses.replace(self, image_size=image_size, resize_size=resize_size)

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON types."""
        values = dataclasses.asdict(self)
        return values | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PreprocessingSpec":
        """The inverse of `to_dict`.

        Raises:
            ValueError: A name is unknown or missing, or a value is impossible.
        """
        fields = dataclasses.fields(cls)
        required = {f.name for f in fields if f.default is dataclasses.MISSING}
        if not required <= set(values) <= {field.name for field in fields}:
            raise ValueError(
                "A specification has the entries "
                f"{', '.join(field.name for field in fields)}, of which "
                f"{' and '.join(sorted(required))} are needed. "
                f"Received: {sorted(values)}"
            )
        return cls(**values)


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    try:
        values = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        values = ()
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(
            f"`{name}` must hold a finite number per channel. Received: "
            f"{name}={values!r}"
        )
    return values
