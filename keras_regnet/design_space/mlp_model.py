"""A multilayer perceptron as a functional Keras model."""

from typing import Any

import keras

from keras_regnet.design_space.mlp import MLPParameters


def build_mlp(
    parameters: MLPParameters,
    input_shape: tuple[int, int, int],
    classes: int,
    classifier_activation: Any = "softmax",
    dtype: Any = None,
    name: str = "mlp",
) -> keras.Model:
    """Builds the perceptron that `parameters` describe.

    Args:
        parameters: Depths and widths.
        input_shape: (height, width, channels) of the images, which are flattened.
        classes: Number of classes.
        classifier_activation: Applied to the logits; None leaves them as they are.
        dtype: A dtype policy or its name. The classifier stays in float32 in a mixed
            policy.
        name: Of the model.

    Returns:
        A functional `keras.Model`.
    """
    policy = keras.dtype_policies.get(dtype)
    mixed = policy.compute_dtype != policy.variable_dtype
    inputs = keras.Input(input_shape, name="image")
    outputs = keras.layers.Flatten(name="flatten", dtype=policy)(inputs)
    layer = 0
    for stage, depth in enumerate(parameters.depths, start=1):
        for index in range(1, depth + 1):
            prefix, width = f"s{stage}_l{index}", parameters.layers[layer]
            layer += 1
            outputs = keras.layers.Dense(
                width,
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{prefix}_dense",
                dtype=policy,
            )(outputs)
            outputs = keras.layers.BatchNormalization(
                epsilon=1e-5, momentum=0.9, name=f"{prefix}_bn", dtype=policy
            )(outputs)
            outputs = keras.layers.ReLU(name=f"{prefix}_relu", dtype=policy)(outputs)
    outputs = keras.layers.Dense(
        classes,
        activation=classifier_activation,
        name="head_fc",
        dtype="float32" if mixed else policy,
    )(outputs)
    return keras.Model(inputs, outputs, name=name)
