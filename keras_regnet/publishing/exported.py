"""What is known of a network that was written for another runtime."""

import dataclasses
from pathlib import Path

from keras_regnet.publishing.agreement import Agreement


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """A file for another runtime, that has been compared with its Keras model.

    Attributes:
        path: The file.
        format: `"onnx"` or `"litert"`.
        precision: `"float32"`, `"float16"` or `"int8"`.
        bytes: Its size.
        inputs: Name and shape of the input; None stands for what is free.
        outputs: Names of the outputs, in the runtime's order.
        agreement: With the Keras model, on random images.
        evaluation: With the Keras model, on images that were given for it.
    """

    path: Path
    format: str
    precision: str
    bytes: int
    inputs: tuple[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    agreement: Agreement
    evaluation: Agreement | None = None

    def __str__(self) -> str:
        text = (
            f"{self.path} ({self.precision}, {self.bytes / 1e6:.1f} MB): "
            f"{self.agreement}"
        )
        if self.evaluation is not None:
            text += f"; on the given images {self.evaluation}"
        return text
