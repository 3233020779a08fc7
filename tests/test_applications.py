import ast
import configparser
import inspect
from pathlib import Path

import numpy as np
import pytest

from keras_regnet import applications
from keras_regnet.applications import RegNetX002
from keras_regnet.architecture import application_name, published_names
from tests.real_data import real_data
from tests.test_package import run_python

# The signature in tf.keras 2.15, applications/regnet.py.
SIGNATURE = {
    "include_top": True,
    "include_preprocessing": True,
    "weights": "imagenet",
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": None,  # 1000 there; here that of the weights
    "classifier_activation": "softmax",
}
SIZES = (2, 4, 6, 8, 16, 32, 40, 64, 80, 120, 160, 320)
NAMES = [f"RegNet{kind}{size:03}" for kind in "XY" for size in SIZES]


@pytest.mark.parametrize("name", NAMES)
def test_every_function_has_the_signature_of_keras_2(name):
    function = getattr(applications, name)
    parameters = inspect.signature(function).parameters
    defaults = {key: value.default for key, value in parameters.items()}
    assert defaults == {"model_name": name.lower()} | SIGNATURE
    assert list(defaults) == ["model_name", *SIGNATURE]
    assert function.__name__ == name
    assert "Returns:" in inspect.getdoc(function)


def test_editors_and_type_checkers_see_every_function():
    """What can be known without running the module: names, and a signature."""
    tree = ast.parse(Path(applications.__file__).read_text(encoding="utf-8"))
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert [name for name in assigned if name.startswith("RegNet")] == NAMES
    listed = ast.literal_eval(assigned["__all__"])
    assert listed == [*NAMES, "decode_predictions", "preprocess_input"]
    assert [application_name(name) for name in published_names()] == NAMES
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    (call,) = (
        node
        for node in classes[functions["_application"].returns.id].body
        if isinstance(node, ast.FunctionDef)
    )
    names = [argument.arg for argument in call.args.args]
    assert names == ["self", "model_name", *SIGNATURE]
    assert ast.unparse(call.returns) == "keras.Model"


def test_builds_with_preprocessing_inside():
    model = RegNetX002(weights=None)
    assert model.name == "regnetx002"
    assert model.input_shape == (None, 224, 224, 3)
    assert model.count_params() == 2_705_640  # table 2.1 of the paper's code
    assert model.get_layer("preprocessing")
    images = np.full((1, 224, 224, 3), 128.0)
    np.testing.assert_allclose(np.sum(model(images)), 1, rtol=1e-5)
    np.testing.assert_array_equal(applications.preprocess_input(images), images)
    vector = RegNetX002(include_top=False, weights=None, pooling="avg")
    assert vector.output_shape == (None, 368)


DECODE = """
import numpy as np
from keras_regnet.applications import decode_predictions
row = np.zeros((1, 1000))
row[0, [285, 3]] = 0.75, 0.25
print(decode_predictions(row, top=2))
"""


@pytest.mark.real_data
def test_decode_predictions_names_classes():
    """With the class index in Keras' cache, the file that Keras itself downloads."""
    printed = run_python(DECODE, KERAS_HOME=str(real_data("keras_home")))
    assert "Egyptian_cat" in printed
    assert printed.index("Egyptian_cat") < printed.index("tiger_shark")


def test_type_checkers_take_the_annotations_of_an_installed_package():
    """Only with this file in the wheel; the wheel has what setup.cfg names."""
    marker = Path(applications.__file__).with_name("py.typed")
    assert marker.is_file()
    setup = configparser.ConfigParser()
    setup.read(marker.parents[1] / "setup.cfg")
    assert setup["options.package_data"]["keras_regnet"] == marker.name
