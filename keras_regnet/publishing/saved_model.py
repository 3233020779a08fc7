"""A network as a SavedModel: to be called, trained, and served.

The interface is that of Reusable SavedModels of TensorFlow Hub for images
(`image/classification` and `image/feature_vector`), and beside it the endpoints that
`keras.layers.TFSMLayer` wants and signatures for servers.

No public operation chooses a kernel when a graph runs, so that there are two forms of
the grouped convolution (see `layers/kernels.py`). Both run and train wherever
TensorFlow does: the *portable* one is slices of ordinary convolutions; the *native* one
has one operation for each convolution, and is faster on a GPU and for single images
where TensorFlow has oneDNN.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.data import ImageReader
from keras_regnet.layers.composite import all_layers
from keras_regnet.models import output_activation
from keras_regnet.preprocessing.normalization import PixelNormalization, normalize
from keras_regnet.publishing.copying import set_form

PORTABLE, NATIVE = "portable", "native"

Body = Callable[[tf.Tensor], tf.Tensor]
Head = Callable[[tf.Tensor, bool], dict[str, tf.Tensor]]


def write_saved_model(
    model: keras.Model, fused: keras.Model | None, reader: ImageReader, path: Path
) -> None:
    """Writes a network as a SavedModel.

    Besides the Hub's interface (`__call__(images, training=False)` on images of 0 to 1,
    `variables`, `trainable_variables`, `regularization_losses`; and the same on the
    sub-object `feature_vector` for the pooled features) it has

    - `serve`, `train`, and `native_serve`, `native_train`: what the Keras model takes
      to what it gives, in inference and in training;
    - `serve_features`, `train_features`, `native_serve_features` and
      `native_train_features`: the pooled features instead;
    - the signatures `serving_default` (`image_bytes`: encoded image files),
      `serve_pixels` (`images`: uint8 of any one size) and `serve` (`images`: what the
      Keras model takes), and all three with `fast_` in front: the native form with the
      weights as constants, as they are now, or for a large network with its variables.

    Args:
        model: A network of this package that nobody else uses: its layers are changed.
            With a classifier, or with pooled features.
        fused: The same with the batch normalisation folded in, and perhaps with
            merged groups, for the fast signatures; likewise. None where the weights
            are too large to stand in the graph.
        reader: What is done with images before it.
        path: The folder to write.
    """
    root = tf.train.Checkpoint()
    take = _input_spec(model)
    head = _head(model)
    forms = {form: _bodies(model, form, take) for form in (PORTABLE, NATIVE)}

    def endpoint(form: str, training: bool, output: str | None) -> Any:
        body = forms[form][training]

        def call(images: tf.Tensor) -> tf.Tensor:
            features = body(images)
            return features if output is None else head(features, training)[output]

        return _function(call, take)

    for form, prefix in ((PORTABLE, ""), (NATIVE, "native_")):
        for training, verb in ((False, "serve"), (True, "train")):
            setattr(root, prefix + verb, endpoint(form, training, "output"))
            features = f"{prefix}{verb}_features"
            setattr(root, features, endpoint(form, training, None))
    _make_reusable(root, model, forms[PORTABLE], head, reader)
    root.feature_vector = tf.train.Checkpoint()
    _make_reusable(root.feature_vector, model, forms[PORTABLE], None, reader)
    fast = forms[NATIVE][False]
    if fused is not None:
        fast = _bodies(fused, NATIVE, take, constant=True)[False]
    signatures, read = {}, _readings(reader)
    for prefix, body in (("", forms[PORTABLE][False]), ("fast_", fast)):
        signatures |= _signatures(prefix, body, head, read, take)
    tf.saved_model.save(root, str(path), signatures=signatures)
    if not any((path / "assets").iterdir()):
        (path / "assets").rmdir()


def _input_spec(model: keras.Model) -> tf.TensorSpec:
    return tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, "images")


def _has_classifier(model: keras.Model) -> bool:
    return any(layer.name == "head_fc" for layer in model.layers)


def _features(model: keras.Model) -> Any:
    """The symbolic tensor of the pooled features."""
    classifies = _has_classifier(model)
    return model.get_layer("avg_pool").output if classifies else model.output


def _head(model: keras.Model) -> Head:
    """What comes after the features: the named answers."""
    if not _has_classifier(model):
        return lambda features, training: {"output": features, "features": features}
    names = [layer.name for layer in model.layers]
    layers = model.layers[names.index("avg_pool") + 1 :]
    functions = {
        "linear": tf.nn.softmax,
        "softmax": tf.nn.softmax,
        "sigmoid": tf.sigmoid,
    }
    to_probabilities = functions.get(output_activation(model))

    def answers(features: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        output, logits = features, None
        for layer in layers:
            dropout = isinstance(layer, keras.layers.Dropout)
            output = layer(output, training=training) if dropout else layer(output)
            logits = output if layer.name == "head_fc" else logits
        named = {"output": output, "logits": logits}
        if to_probabilities is None:  # such numbers are no probabilities
            return named | {"scores": output}
        return named | {"probabilities": to_probabilities(logits)}

    return answers


def _bodies(
    model: keras.Model, form: str, take: tf.TensorSpec, constant: bool = False
) -> dict[bool, Body]:
    """From images to features in inference (False) and training (True), in one form.

    Every endpoint calls one of them, so that the graph is stored once for all.
    """
    body = keras.Model(model.input, _features(model))
    set_form(body, form)
    for layer in all_layers(body):
        if isinstance(layer, PixelNormalization):
            layer.by_rows = True
    kinds = (body.trainable_variables, body.non_trainable_variables)
    weights = [[each.numpy() for each in kind] for kind in kinds] if constant else []

    def infer(images: tf.Tensor) -> tf.Tensor:
        if None not in take.shape[1:]:
            # TensorFlow's optimizer can compare a batch size that a reshape made, not
            # an argument's, and adds a shortcut within a convolution where it can.
            images = tf.reshape(images, (-1, *take.shape[1:]))
        if not constant:
            return body(images, training=False)
        # Made in the graph: a tensor from outside would be an input of it.
        values = [[tf.constant(each) for each in kind] for kind in weights]
        return body.stateless_call(*values, images, training=False)[0]

    # Concrete functions: traced now, while the layers have this form, and never again.
    bodies = {False: _function(infer, take).get_concrete_function()}
    if not constant:
        train = _function(lambda images: body(images, training=True), take)
        bodies[True] = train.get_concrete_function()
    return bodies


def _function(function: Callable, *signature: tf.TensorSpec) -> Any:
    # Without autograph, which has nothing to convert here and takes its time.
    return tf.function(function, input_signature=signature, autograph=False)


def _make_reusable(
    target: Any,
    model: keras.Model,
    bodies: dict[bool, Body],
    head: Head | None,
    reader: ImageReader,
) -> None:
    """Gives an object the Hub's interface, on images of 0 to 1."""
    to_network = _from_unit_range(reader)
    name = "logits" if _has_classifier(model) else "features"

    @tf.function(autograph=False)
    def call(images: tf.Tensor, training: bool = False) -> tf.Tensor:
        features = bodies[bool(training)](to_network(images))
        return features if head is None else head(features, bool(training))[name]

    take = _input_spec(model)
    for training in (False, True):
        call.get_concrete_function(take, training=training)
    whole = model if head is not None else keras.Model(model.input, _features(model))
    target.__call__ = call
    target.variables = [variable.value for variable in whole.variables]
    target.trainable_variables = [v.value for v in whole.trainable_variables]
    target.regularization_losses = []


def _from_unit_range(reader: ImageReader) -> Callable[[tf.Tensor], tf.Tensor]:
    """From pixels of 0 to 1, the Hub's convention, to what the network takes."""
    if reader.normalized:
        return lambda images: normalize(images * 255.0, reader.specification, True)
    return lambda images: images * 255.0


def _readings(reader: ImageReader) -> tuple[Any, Any]:
    """From image files, and from pixels, to what the network takes, for both forms."""
    size = (reader.height, reader.width, reader.channels)

    def from_bytes(image_bytes: tf.Tensor) -> tf.Tensor:
        spec = tf.TensorSpec(size, tf.float32)
        with tf.device("/CPU:0"):
            images = tf.map_fn(reader, image_bytes, fn_output_signature=spec)
        return tf.ensure_shape(images, (None, *size))

    def from_pixels(images: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(reader.pixels(images), (None, *size))

    encoded = tf.TensorSpec((None,), tf.string, "image_bytes")
    pixels = tf.TensorSpec((None, None, None, size[-1]), tf.uint8, "images")
    return (
        _function(from_bytes, encoded).get_concrete_function(),
        _function(from_pixels, pixels).get_concrete_function(),
    )


def _signatures(
    prefix: str, body: Body, head: Head, read: tuple[Any, Any], take: tf.TensorSpec
) -> dict[str, Any]:
    """What a server is asked: image files, pixels, or the network's own input."""
    from_bytes, from_pixels = read

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = head(body(images), False)
        return {name: outputs[name] for name in outputs if name != "output"}

    def answer_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(from_bytes(image_bytes))

    def answer_pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(from_pixels(images))

    (encoded,), (pixels,) = (each.structured_input_signature[0] for each in read)
    default = "fast_serving" if prefix else "serving_default"
    return {
        default: _function(answer_bytes, encoded),
        f"{prefix}serve_pixels": _function(answer_pixels, pixels),
        f"{prefix}serve": _function(answer, take),
    }
