"""What is known about a published model, as a frozen dataclass and as JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_regnet.architecture import AnyNetParameters, Complexity, complexity
from keras_regnet.preprocessing import PreprocessingSpec

FILE = "metadata.json"
FORMAT = 1
MOST_CONSTANTS = 8_000_000
"""Parameters that a SavedModel may have a second time, as constants of its graph.

With them a small network is faster for single images. The folder of a large one would
grow by a third, and a graph has a limit of 2 GB.
"""
TASKS = ("image/classification", "image/feature_vector")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """A published model's metadata.json.

    Attributes:
        name: Of the model.
        version: From 1.
        task: One of `TASKS`: whether the network ends in logits or in features.
        network: The network's numbers.
        arguments: The further arguments of `AnyNet`, JSON types.
        image: What is done with images before it: an `ImageReader`'s `to_dict()`.
        class_names: A name per class, or None.
        parameters: How many trainable numbers the network has.
        multiply_adds: For one image of that size.
        metrics: For example `{"top1": 0.95, "images": 10000}`, or empty.
        training: How the weights came to be (data set, recipe, command, seed, hours),
            or empty.
        sample: A fixed input and what it gave: `seed`, `shape` and `outputs`.
        speed: Milliseconds per image of the endpoints, where they were measured.
        versions: Of Python, Keras, TensorFlow and this package.
        licence: Of the weights, as SPDX writes it.
        description: A sentence or two.
        created: The day.
        format: Of this file.
    """

    name: str
    version: int
    task: str
    network: AnyNetParameters
    arguments: Mapping[str, Any]
    image: Mapping[str, Any]
    class_names: tuple[str, ...] | None
    parameters: int
    multiply_adds: int
    metrics: Mapping[str, Any]
    training: Mapping[str, Any]
    sample: Mapping[str, Any]
    speed: Mapping[str, Any]
    versions: Mapping[str, str]
    licence: str
    description: str
    created: str
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {TASKS}. Received: {self.task!r}")
        classes = self.arguments.get("classes")
        names = self.class_names
        if names is not None and len(names) != classes:
            raise ValueError(
                f"There must be a name for each of the network's {classes} classes. "
                f"Received: {len(names)} class names"
            )

        if self.image["channels"] != self.arguments["input_shape"][2]:
            raise ValueError(
                "The image must have the network's "
                f"{self.arguments['input_shape'][2]} channels. Received: "
                f"{self.image['channels']}"
            )
        counted = cost_of(self.network, self.arguments, self.shape).parameters
        if counted != self.parameters:
            raise ValueError(
                f"The network's numbers make {counted:,} parameters. Received: "
                f"parameters={self.parameters}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the network's images."""
        return self.image["height"], self.image["width"], self.image["channels"]

    @property
    def has_constants(self) -> bool:
        """Whether the fast signatures have the weights as constants."""
        return self.parameters <= MOST_CONSTANTS

    def build_arguments(self) -> dict[str, Any]:
        """The arguments of `AnyNet` besides the numbers."""
        arguments = dict(self.arguments)
        arguments["input_shape"] = tuple(arguments["input_shape"])
        if "preprocessing" in arguments:
            arguments["preprocessing"] = PreprocessingSpec.from_dict(
                arguments["preprocessing"]
            )
        return arguments

    def write(self, folder: Path) -> None:
        """Writes `metadata.json`."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        values["network"] = self.network.to_dict()
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def cost_of(
    network: AnyNetParameters, arguments: Mapping[str, Any], shape: Sequence[int]
) -> Complexity:
    """What a network costs for one image of `shape` (height, width, channels).

    Args:
        network: Its numbers.
        arguments: The further ones of `AnyNet`, as `Metadata` has them.
        shape: Of the image.
    """
    classes = arguments.get("classes")
    return complexity(
        network,
        shape[:2],
        shape[2],
        classes=classes or 1,
        include_top=classes is not None,
    )


def read(folder: Path) -> Metadata:
    """Reads `metadata.json`.

    Raises:
        ValueError: It is missing, damaged, of a later format, or contradicts itself.
    """
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"A published model has a {FILE}. Received: {folder}, without it"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} must be JSON. Received: {error}") from None
    fields = {field.name for field in dataclasses.fields(Metadata)}
    stated = values.get("format") if isinstance(values, dict) else None
    if isinstance(stated, int) and stated > FORMAT:
        raise ValueError(
            f"{path} is of a later version of keras_regnet, which must be updated. "
            f"Received: format={stated}, known up to {FORMAT}"
        )
    if not isinstance(values, dict) or set(values) != fields:
        differing = set(values) ^ fields if isinstance(values, dict) else fields
        raise ValueError(
            f"{path} must have the entries {sorted(fields)}. Received others: "
            f"{sorted(differing)}"
        )
    try:
        values["network"] = AnyNetParameters.from_dict(values["network"])
        if values["class_names"] is not None:
            values["class_names"] = tuple(values["class_names"])
        return Metadata(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} contradicts itself: {error}") from error
