"""A network as a LiteRT (TensorFlow Lite) file, compared with its Keras model.

The grouped convolutions are LiteRT's own: they are as many `CONV_2D` as the network has
convolutions. On two cores RegNetY-400MF takes 6.4 ms a 224 x 224 image on one thread,
and with the portable form, of slices of the channels, 7.6 ms; in int8 1.9 and 3.4 ms.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_regnet.files import replacing
from keras_regnet.models import inference_function
from keras_regnet.optional import require
from keras_regnet.publishing.agreement import check, check_top1
from keras_regnet.publishing.calibration import (
    check_useful,
    give_silent_units_a_range,
    image_batches,
)
from keras_regnet.publishing.exported import ExportedFile
from keras_regnet.publishing.preparation import check_target, prepare, set_export_form
from keras_regnet.publishing.trial import try_out

PRECISIONS = ("float32", "float16", "int8")
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.25}
INPUT_TYPES = ("float32", "int8", "uint8")


def export_litert(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    precision: str = "float32",
    activation: str | None = None,
    calibration: Any = None,
    evaluation: Any = None,
    input_type: str = "float32",
    tolerance: float | None = None,
    least_agreement: float = 0.9,
    images: Iterable[np.ndarray] | None = None,
    verbose: bool = True,
) -> ExportedFile:
    """Writes a network for LiteRT's interpreter, with the batch normalisations folded.

    The file's input has a batch size of 1. It is free all the same, as are the height
    and the width where they are in the model: `resize_tensor_input` (or a signature
    runner, by itself) takes other sizes. The file appears only after the interpreter
    has given the model's outputs, on batches of several sizes.

    Args:
        model: A built functional or sequential Keras model. A model that computes in
            another precision is exported, and compared, as it computes in float32.
        path: The file to write, or to replace, `.tflite`; its folder must exist.
        precision: `"float32"`; `"float16"` for weights of half the size, with which
            the interpreter computes in float32 on a CPU; `"int8"` for weights and
            activations of 8 bits, for which `calibration` is needed.
        activation: `"logits"` or `"softmax"` for a classifier to end so, whether or not
            the model does; None for the model as it is.
        calibration: For int8: images as the model takes them, an array or an iterable
            of batches. A hundred or more, of the kind that will be classified; their
            activations set the ranges of the 8 bits.
        evaluation: For int8: images outside the calibration set, likewise; it is judged
            on them, and without them on those of the calibration, which must then also
            be of the range that the model says it expects.
        input_type: For int8: what the file takes. By default float32, as the model: the
            file quantises it itself. `"uint8"` and `"int8"` take the quantised images,
            with the scale and zero point of the input's details: for processors that
            have integers alone. The outputs are float32, always.
        tolerance: The largest difference from the model's outputs that is allowed,
            relative to their largest magnitude; by default 1e-4, 1e-2 and 0.25 by
            precision.
        least_agreement: For a classifier in int8: the share of the images with the
            model's own decision that is needed.
        images: Batches to compare on, as the model takes them; by default random ones,
            and for int8 those of the calibration.
        verbose: Whether to print a line about the file.

    Returns:
        What was written, and how far it agrees. The signature `serving_default` has the
        input `images` and the outputs `logits`, `probabilities`, `features` or
        `feature_map`, or the keys of the model's dictionary.

    Raises:
        ValueError: An argument is impossible, the model cannot be exported, or no
            range can be told from the calibration images.
        DisagreementError: The outputs differ by more than the tolerance, or decide
            differently too often. No file is written.
        ImportError: The extra `export` is not installed.
    """
    path = Path(path)
    check_target(path, ".tflite", "export_litert")
    _check(precision, input_type, calibration)
    size, reference, names, network = prepare(model, activation)
    quantized = precision == "int8"
    if tolerance is None:
        tolerance = TOLERANCES[precision]
    if quantized:
        calibration = list(image_batches(calibration, size, "calibration"))
        check_useful(calibration, model, evaluated_on_others=evaluation is not None)
        images = calibration if images is None else images
    if evaluation is not None:
        evaluation = list(image_batches(evaluation, size, "evaluation"))
    if quantized:
        give_silent_units_a_range(network, calibration)
    content = _convert(network, names, precision, calibration, input_type)

    with replacing(path) as temporary:
        temporary.write_bytes(content)
        run = runner(temporary, names)
        what = f"LiteRT's {precision} outputs"
        agreement = try_out(run, reference, images)
        judged = None
        if evaluation is not None:
            judged = try_out(run, reference, evaluation)
        if quantized and names in ("logits", "probabilities", "scores"):
            check_top1(judged or agreement, least_agreement, what)
        check(judged if quantized and judged else agreement, tolerance, what)
    exported = ExportedFile(
        path,
        "litert",
        precision,
        len(content),
        ("images", (None, *size)),
        tuple(keras.tree.flatten(names)),
        agreement,
        judged,
    )
    if verbose:
        print(exported)
    return exported


def interpreter(path: str | os.PathLike[str], threads: int | None = None) -> Any:
    """LiteRT's interpreter of a file, on the CPU.

    Args:
        path: A `.tflite` file.
        threads: None for the interpreter's choice.

    Raises:
        ValueError: The interpreter cannot run the file.
    """
    litert = require("ai_edge_litert.interpreter", "export")
    found = litert.Interpreter(model_path=os.fspath(path), num_threads=threads)
    try:
        found.allocate_tensors()
    except RuntimeError as error:
        raise ValueError(
            f"LiteRT's interpreter must be able to run the file. Received: {error}"
        ) from error
    return found


def runner(
    path: str | os.PathLike[str],
    names: Mapping[str, str] | str,
    threads: int | None = None,
) -> Callable[[np.ndarray], Any]:
    """A function from images, as the Keras model takes them, to what it would give.

    Args:
        path: A file that `export_litert` wrote.
        names: `output_names` of the model.
        threads: See `interpreter`.
    """
    signature = interpreter(path, threads).get_signature_runner()
    details = signature.get_input_details()["images"]

    def run(images: np.ndarray) -> Any:
        if details["dtype"] != np.float32:
            scale, zero = details["quantization"]
            limits = np.iinfo(details["dtype"])
            images = np.clip(np.rint(images / scale + zero), limits.min, limits.max)
        outputs = signature(images=images.astype(details["dtype"]))
        return keras.tree.map_structure(lambda name: outputs[name], names)

    return run


def _check(precision: str, input_type: str, calibration: Any) -> None:
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {PRECISIONS}. Received: {precision!r}"
        )
    if input_type not in INPUT_TYPES or (
        input_type != "float32" and precision != "int8"
    ):
        raise ValueError(
            "`input_type` must be 'float32', or for precision='int8' one of "
            f"{INPUT_TYPES}. Received: input_type={input_type!r}, "
            f"precision={precision!r}"
        )
    if (calibration is not None) != (precision == "int8"):
        raise ValueError(
            "`calibration` images are needed for precision='int8', and for no other. "
            f"Received: precision={precision!r}, calibration="
            f"{'None' if calibration is None else 'images'}"
        )
    require("ai_edge_litert.interpreter", "export")


def _convert(
    network: keras.Model,
    names: Mapping[str, str] | str,
    precision: str,
    calibration: list[np.ndarray] | None,
    input_type: str,
) -> bytes:
    """The file's content, of TensorFlow's converter."""
    import tensorflow as tf

    set_export_form(network)
    # With constants: the converter would keep variables, and not quantise them.
    infer = inference_function(network)

    @tf.function
    def images_to_outputs(images: Any) -> dict[str, Any]:
        outputs = keras.tree.flatten(infer(images))
        return dict(zip(keras.tree.flatten(names), outputs, strict=True))

    specification = tf.TensorSpec(network.inputs[0].shape, tf.float32, "images")
    function = images_to_outputs.get_concrete_function(specification)
    # With an object to hang the function on, the file gets a signature.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        operators = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.target_spec.supported_ops = [operators]
        converter.representative_dataset = lambda: (
            [image[None]] for batch in calibration for image in batch
        )
        converter.inference_input_type = tf.as_dtype(input_type)
    return converter.convert()
