"""A model tells the arguments that made it."""

import keras
import pytest

from keras_regnet import AnyNet, AnyNetParameters, RegNet, RegNetX, Stage, variant
from keras_regnet.models import arguments_of, output_activation
from keras_regnet.preprocessing import PreprocessingSpec

STAGES = (Stage(1, 16, 1, 8), Stage(2, 24, 2, 8, 0.5))
PLAIN = (Stage(1, 16, 1), Stage(2, 24, 2))

NETWORKS = [
    (AnyNetParameters(STAGES, stem="small", stem_width=8), {"classes": 3}),
    (AnyNetParameters(STAGES, "y", 0.25, "resnet"), {"classifier_activation": None}),
    (AnyNetParameters(PLAIN, "vanilla"), {"include_top": False, "pooling": "max"}),
    (AnyNetParameters(PLAIN, "res_basic"), {"include_top": False}),
    (
        AnyNetParameters(STAGES),
        {
            "include_preprocessing": True,
            "preprocessing": PreprocessingSpec(28, 28, mean=(0.5,), std=(0.2,)),
            "input_shape": (28, 28, 1),
            "dropout": 0.3,
            "stochastic_depth": 0.2,
            "synchronized_batch_norm": True,
            "dtype": "mixed_bfloat16",
            "name": "other",
        },
    ),
    (AnyNetParameters(STAGES), {"include_top": False, "feature_maps": True}),
]


def shapes(model):
    return [(variable.path, tuple(variable.shape)) for variable in model.weights]


@pytest.mark.parametrize(("parameters", "arguments"), NETWORKS)
def test_builds_the_same_network_again(parameters, arguments):
    model = AnyNet(parameters, **arguments)
    found, others = arguments_of(model)
    again = AnyNet(found, **others)
    assert shapes(again) == shapes(model)
    assert again.output_shape == model.output_shape
    both = [each.get_config()["layers"][1:] for each in (again, model)]
    assert [layer["config"] for layer in both[0]] == [
        layer["config"] for layer in both[1]
    ]


def test_published_networks_have_their_numbers():
    for name in ("RegNetX-200MF", "RegNetY-400MF"):
        assert arguments_of(RegNet(name))[0] == variant(name).anynet()


def test_a_model_that_ends_in_the_logits():
    model = RegNetX("200MF", classes=5)
    logits = keras.Model(model.inputs, model.get_layer("head_fc").output)
    arguments = arguments_of(logits)[1]
    assert arguments["classes"] == 5
    assert arguments["classifier_activation"] is None


def test_other_models_are_refused():
    image = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r"Received: 'mine', with the layers \['fl'\]"):
        arguments_of(
            keras.Model(image, keras.layers.Flatten(name="fl")(image), name="mine")
        )
    with pytest.raises(ValueError, match="must not be dilated"):
        arguments_of(RegNetX("200MF", include_top=False, output_stride=8))


def dense(activation=None):
    return keras.layers.Dense(3, activation=activation)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([dense()], "linear"),
        ([dense("softmax")], "softmax"),
        ([dense("sigmoid")], "sigmoid"),
        ([dense("relu")], "relu"),
        ([dense("tanh")], "tanh"),
        ([dense(), keras.layers.Softmax()], "softmax"),
        ([dense(), keras.layers.Softmax(axis=0)], "softmax over another axis"),
        ([dense(), keras.layers.ReLU()], "relu"),
        ([dense(), keras.layers.LeakyReLU()], "leakyrelu"),
        ([dense(), keras.layers.Activation("softmax")], "softmax"),
        # As of a mixed policy: the last layer only changes the dtype.
        (
            [dense("softmax"), keras.layers.Activation("linear", dtype="float32")],
            "softmax",
        ),
        ([dense("sigmoid"), keras.layers.Dropout(0.5)], "sigmoid"),
        ([dense("softmax"), keras.layers.Rescaling(2.0)], None),
        ([dense("softmax"), dense()], "linear"),
        ([keras.ops.softmax], "softmax"),
        ([keras.ops.sigmoid], "sigmoid"),
        ([], None),
    ],
)
@pytest.mark.parametrize("kind", ["functional", "sequential", "nested"])
def test_the_function_in_which_a_graph_ends(ends, expected, kind):
    inputs = keras.Input((4,))
    if kind == "sequential":
        if keras.ops.softmax in ends or keras.ops.sigmoid in ends:
            pytest.skip("a function is no layer")
        model = keras.Sequential([inputs, keras.layers.BatchNormalization(), *ends])
    else:
        outputs = keras.layers.BatchNormalization()(inputs)
        for end in ends:
            outputs = end(outputs)
        model = keras.Model(inputs, outputs)
    if kind == "nested":
        model = keras.Model(inputs, keras.layers.Identity()(model(inputs)))
    assert output_activation(model) == expected


def test_of_several_outputs_and_of_no_graph_nothing_is_known():
    class Own(keras.Model):
        def call(self, inputs):
            return keras.ops.softmax(inputs)

    inputs = keras.Input((4,))
    assert output_activation(keras.Model(inputs, [inputs, dense()(inputs)])) is None
    assert output_activation(Own()) is None
