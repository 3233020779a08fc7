"""A model with its weights fixed, for the shortest time to an answer."""

from collections.abc import Callable
from typing import Any

import keras

_MOST_BYTES = 2**30  # of constants: a graph has a limit of 2 GB


def inference_function(model: keras.Model, **options: Any) -> Callable[[Any], Any]:
    """Compiles a model for inference with the weights it has now.

    The weights become constants of the graph, so that TensorFlow brings them into the
    layout of its kernels once and not at every call. That counts for small batches: a
    single image takes RegNetY-400MF 0.8 times as long as in a `tf.function` around
    the model, a batch of 32 takes 0.9 times (2 cores, 224 x 224; `scripts/benchmark.py
    infer`). Training the model further does not change the function.

    Args:
        model: A built Keras model.
        **options: To `tf.function`, for example `jit_compile=True`.

    Returns:
        A function from a batch of images, `(batch, height, width, channels)`, to what
        `model(images, training=False)` gives. It compiles at the first call with a new
        shape.

    Raises:
        ValueError: The model is not built, or the backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "inference_function needs the TensorFlow backend "
            f"(KERAS_BACKEND=tensorflow). Received: {keras.backend.backend()}"
        )
    if not getattr(model, "built", False):
        raise ValueError(
            "`model` must be a built Keras model; call it once. "
            f"Received: model={model!r}"
        )
    import tensorflow as tf

    kinds = (model.trainable_variables, model.non_trainable_variables)
    fixed: list[list[Any]] = [[each.numpy() for each in kind] for kind in kinds]
    if sum(value.nbytes for kind in fixed for value in kind) > _MOST_BYTES:
        fixed = [[tf.constant(value) for value in kind] for kind in fixed]

    @tf.function(reduce_retracing=True, **options)
    def infer(images: Any) -> Any:
        # Of tensors these are the tensors themselves, outside of the graph.
        constants = [[tf.convert_to_tensor(x) for x in values] for values in fixed]
        return model.stateless_call(*constants, images, training=False)[0]

    return infer
