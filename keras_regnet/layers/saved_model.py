"""A layer around a published SavedModel, for those who have nothing else of it.

Keras' own TFSMLayer gives its variables the names of TensorFlow's, such as
`stem_conv_kernel:0`, of which no optimizer with a momentum can make names of its own
("not a valid scope name"; Keras 3.12.0 and 3.15.1). A variable's name and path have no
public setter: they are set here by `_name` and `_path`.
tests/layers/test_saved_model.py fails when that stops working.
"""

import os
from pathlib import Path
from typing import Any

import keras

_OUTPUTS = {"features": "_features", "output": ""}


@keras.saving.register_keras_serializable(package="keras_regnet")
class SavedModelBackbone(keras.layers.TFSMLayer):
    """The network in a published SavedModel as a layer, to be used and fine-tuned.

    It needs the TensorFlow backend and this package's SavedModels: the folder of a
    version, as `keras_regnet.publishing.publish` wrote it.
    `keras_regnet.load_published` gives a model of ordinary Keras layers instead, which
    can be cut, frozen stage by stage, and saved without the SavedModel.

    A Keras model with this layer can be saved; to load it, Keras wants
    `safe_mode=False`, since a SavedModel is a program.

    Args:
        path: The SavedModel's folder.
        trainable: Whether its weights can be trained. A layer that cannot be trained
            keeps its statistics of batch normalisation, too.
        training_statistics: Whether batch normalisation uses the statistics of the
            batch in training, and learns from them. False is customary for small data
            sets and small batches: the statistics stay, and the weights can be trained
            nevertheless.
        output: `"features"`, a vector for each image; or `"output"`: what the
            published model gives, for a classifier its probabilities.
        native: Whether to take the kernels that are faster on a GPU.
        **kwargs: `name` and `dtype`.

    Input shape:
        `(batch, height, width, channels)`: what the published Keras model takes, as a
        rule pixels of 0 to 255.

    Output shape:
        `(batch, features)` or `(batch, classes)`

    Raises:
        ValueError: There is no such SavedModel, or it has other endpoints.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        trainable: bool = True,
        training_statistics: bool = True,
        output: str = "features",
        native: bool = False,
        **kwargs: Any,
    ) -> None:
        if output not in _OUTPUTS:
            raise ValueError(
                f"`output` must be one of {list(_OUTPUTS)}. Received: {output!r}"
            )
        if not (Path(path) / "saved_model.pb").is_file():
            raise ValueError(
                "`path` must be the folder of a SavedModel, with a saved_model.pb. "
                f"Received: path={str(path)!r}"
            )
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "SavedModelBackbone needs the TensorFlow backend "
                f"(KERAS_BACKEND=tensorflow). Received: {keras.backend.backend()}"
            )
        from tensorflow.errors import OpError

        prefix, suffix = "native_" if native else "", _OUTPUTS[output]
        try:
            super().__init__(
                str(path),
                call_endpoint=f"{prefix}serve{suffix}",
                call_training_endpoint=f"{prefix}train{suffix}",
                trainable=trainable,
                **kwargs,
            )
        except ValueError as error:
            raise ValueError(
                "The SavedModel must be one that this package published. Received: "
                f"path={str(path)!r} ({error})"
            ) from error
        except (OSError, OpError) as error:
            raise ValueError(
                f"The SavedModel is damaged. Received: path={str(path)!r} ({error})"
            ) from error
        for variable in self.weights:
            name = variable.value.name.removesuffix(":0")
            variable._name = name.rpartition("/")[2]
            variable._path = f"{self.name}/{name}"
        self.training_statistics = bool(training_statistics)
        self.output_kind = output
        self.native = bool(native)

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """Computes the network.

        Args:
            inputs: A batch of images.
            training: Whether it is being trained.
        """
        learns = bool(training) and self.trainable and self.training_statistics
        return super().call(inputs, training=learns)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, where the SavedModel still is."""
        config = super().get_config()
        for key in ("filepath", "call_endpoint", "call_training_endpoint"):
            del config[key]
        return config | {
            "path": self.filepath,
            "training_statistics": self.training_statistics,
            "output": self.output_kind,
            "native": self.native,
        }
