"""SGD against torch's documented formula, written out again in numpy, and torch."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_regnet.training import SGD

STEPS = 20
RATES = [
    0.1 * (step + 1) / 5 if step < 5 else 0.1 / (step - 3) for step in range(STEPS)
]
SETTINGS = [(0.9, True, 5e-2), (0.9, False, 5e-2), (0.9, True, 0.0), (0.0, False, 0.1)]


def start():
    random = np.random.default_rng(1)
    weights = [random.normal(size=(3, 4)), random.normal(size=4)]
    gradients = [[random.normal(size=w.shape) for w in weights] for _ in range(STEPS)]
    return weights, gradients


def by_formula(momentum, nesterov, weight_decay):
    """torch.optim.SGD, documentation of torch 2.13, dampening 0."""
    weights, gradients = start()
    buffers = [None] * len(weights)
    for rate, step_gradients in zip(RATES, gradients, strict=True):
        for index, gradient in enumerate(step_gradients):
            g = gradient + weight_decay * weights[index]
            if momentum:
                b = buffers[index]
                buffers[index] = g if b is None else momentum * b + g
                g = g + momentum * buffers[index] if nesterov else buffers[index]
            weights[index] = weights[index] - rate * g
    return weights


def by_keras(optimizer):
    weights, gradients = start()
    variables = [keras.Variable(weight, dtype="float64") for weight in weights]
    optimizer.build(variables)
    for rate, step_gradients in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate
        step = [keras.ops.convert_to_tensor(g, "float64") for g in step_gradients]
        optimizer.apply(step, variables)
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize(("momentum", "nesterov", "weight_decay"), SETTINGS)
def test_formula_with_a_changing_rate(momentum, nesterov, weight_decay):
    optimizer = SGD(0.1, momentum, nesterov, weight_decay)
    expected = by_formula(momentum, nesterov, weight_decay)
    for mine, theirs in zip(by_keras(optimizer), expected, strict=True):
        # The rate itself is a float32 variable in Keras.
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_keras_own_sgd_is_another_one():
    """Why this class exists: trap 5 (decay) and trap 6 (momentum) of numbers.md."""
    theirs = keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=5e-2)
    gaps = zip(by_keras(theirs), by_formula(0.9, True, 5e-2), strict=True)
    assert max(np.abs(a - b).max() for a, b in gaps) > 1e-2


@pytest.mark.peers
@pytest.mark.parametrize(("momentum", "nesterov", "weight_decay"), SETTINGS)
def test_torch_itself(momentum, nesterov, weight_decay):
    torch = pytest.importorskip("torch")
    weights, gradients = start()
    parameters = [torch.nn.Parameter(torch.tensor(weight)) for weight in weights]
    peer = torch.optim.SGD(
        parameters, 0.1, momentum, weight_decay=weight_decay, nesterov=nesterov
    )
    for rate, step_gradients in zip(RATES, gradients, strict=True):
        for parameter, gradient in zip(parameters, step_gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        peer.param_groups[0]["lr"] = rate
        peer.step()
    optimizer = SGD(0.1, momentum, nesterov, weight_decay)
    for mine, theirs in zip(by_keras(optimizer), parameters, strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-6)


def test_each_group_has_its_own_decay():
    names = ("kernel", "bias", "gamma", "beta")
    shapes = ((2, 2), (2,), (2,), (2,))
    variables = [
        keras.Variable(np.ones(shape), name=name)
        for name, shape in zip(names, shapes, strict=True)
    ]
    optimizer = SGD(1.0, 0.0, False, 0.5, norm_weight_decay=0.25, bias_weight_decay=0.0)
    optimizer.apply([keras.ops.zeros_like(each) for each in variables], variables)
    left = [np.unique(each.numpy()).item() for each in variables]
    assert left == [0.5, 1.0, 0.75, 0.75]


def test_file_of_0_1_0_that_spared_vectors():
    """Saved by keras_regnet 0.1.0 with SGD(0.1, 0.9, True, 0.01, False) inside."""
    path = Path(__file__).parents[1] / "fixtures" / "sgd_0.1.0.keras"
    model = keras.saving.load_model(path)
    optimizer = model.optimizer
    assert isinstance(optimizer, SGD)
    assert optimizer.coupled_weight_decay == 0.01
    assert optimizer.norm_weight_decay == optimizer.bias_weight_decay == 0
    assert optimizer.iterations == 2
    assert any(np.any(velocity) for velocity in optimizer.velocities)
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    # The velocities come back without build() having been asked for.
    assert optimizer.decays == (0.01, 0.0, 0.0, 0.0)


def test_configuration_of_0_1_0_that_decayed_all():
    optimizer = SGD.from_config({"weight_decay": 0.1, "decay_norms_and_biases": True})
    assert optimizer.get_config()["norm_weight_decay"] is None
    assert optimizer.get_config()["bias_weight_decay"] is None


def test_sparse_gradients():
    embedding = keras.layers.Embedding(5, 3)
    model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding])
    model.compile(SGD(0.1, weight_decay=0.1), "mse")
    before = embedding.embeddings.numpy()
    model.fit(np.array([[0, 1]]), np.ones((1, 2, 3)), verbose=0)
    after = embedding.embeddings.numpy()
    np.testing.assert_allclose(after[2:], before[2:] * (1 - 0.1 * 0.19), rtol=1e-5)


def test_serializes():
    optimizer = SGD(0.2, 0.8, False, 1e-4, 0.0, 1e-5)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, SGD)
    assert copy.get_config() == optimizer.get_config()
    assert optimizer.get_config()["weight_decay"] == 1e-4


@pytest.mark.parametrize(
    "arguments",
    [
        {"momentum": 1.0},
        {"momentum": 0.0},
        {"weight_decay": -1},
        {"weight_decay": None},
        {"norm_weight_decay": -1},
        {"bias_weight_decay": float("nan")},
    ],
)
def test_impossible_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        SGD(**arguments)


def test_the_borrowed_name_still_means_what_it_meant():
    """`_get_variable_index`: the place of a variable in `build`'s list."""
    variables = [keras.Variable(np.ones(1)) for _ in range(3)]
    optimizer = SGD()
    optimizer.build(variables)
    assert [optimizer._get_variable_index(v) for v in variables] == [0, 1, 2]
