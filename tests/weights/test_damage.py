"""Files that are damaged or of something else: refused, and the model stays."""

import functools
import os
import pickle
import warnings

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet.weights import ConversionError, load_weights, read, to_timm_state_dict
from tests.small_networks import randomise, tiny

safetensors = pytest.importorskip("safetensors.numpy")


# Networks for tests that leave their weights as they are: other ones than a file's.
network = functools.cache(tiny)
stored = functools.cache(lambda: randomise(tiny()))


def state():
    tensors = to_timm_state_dict(stored(), "numpy")
    return {key: np.array(value) for key, value in tensors.items()}


def refused(tensors, tmp_path, message, error=ConversionError, name="x.safetensors"):
    """Writes the tensors, or bytes, and says what loading them says."""
    path = tmp_path / name
    if isinstance(tensors, bytes):
        path.write_bytes(tensors)
    else:
        safetensors.save_file(tensors, path)
    model = network()
    before = [np.array(variable) for variable in model.weights]
    with pytest.raises(error, match=message) as raised:
        load_weights(model, path)
    for variable, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert str(path) in str(raised.value)
    return raised.value


KERNEL = "s1.b1.conv2.conv.weight"


def test_a_missing_tensor(tmp_path):
    tensors = state()
    del tensors[KERNEL], tensors["head.fc.bias"]
    error = refused(tensors, tmp_path, r"Unfilled variables \(2\).*" + KERNEL)
    assert error.unfilled == (
        f"s1_b1/conv2/conv/kernel ({KERNEL})",
        "head_fc/bias (head.fc.bias)",
    )
    assert error.unused == error.faulty == ()


def test_an_extra_tensor(tmp_path):
    extra = {"s9.b1.conv1.conv.weight": np.ones((2, 2, 1, 1), np.float32)}
    error = refused(state() | extra, tmp_path, r"Unused tensors \(1\)")
    assert error.unused == ("s9.b1.conv1.conv.weight",)


def test_both_lists_are_told(tmp_path):
    tensors = state()
    tensors["s1.b1.se.fc1.wait"] = tensors.pop("s1.b1.se.fc1.weight")
    refused(
        tensors, tmp_path, r"Unused.*fc1\.wait.*Unfilled.*se/fc1/kernel.*fc1\.weight"
    )


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_a_wrong_dtype(dtype, tmp_path):
    tensors = state()
    tensors[KERNEL] = tensors[KERNEL].astype(dtype)
    error = refused(tensors, tmp_path, f"dtype {dtype}")
    assert len(error.faulty) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number(value, tmp_path):
    tensors = state()
    tensors[KERNEL][0, 0, 0, 0] = value
    refused(tensors, tmp_path, f"{KERNEL} has values that are NaN or infinite")


def test_too_large_for_float32(tmp_path):
    tensors = {key: value.astype("float64") for key, value in state().items()}
    tensors[KERNEL][0, 0, 0, 0] = 1e39
    refused(tensors, tmp_path, f"{KERNEL} has values beyond the range of float32")


def test_a_negative_variance(tmp_path):
    tensors = state()
    tensors["stem.bn.running_var"][3] = -0.1
    refused(tensors, tmp_path, "stem.bn.running_var is a variance")


def test_a_wrong_shape(tmp_path):
    tensors = state()
    tensors[KERNEL] = tensors[KERNEL][:, :2].copy()
    refused(tensors, tmp_path, r"shape \(3, 3, 2, 8\) and s1_b1/conv2/conv/kernel")


def test_another_architecture_is_named(tmp_path):
    tensors = to_timm_state_dict(
        keras_regnet.RegNetX("200MF", input_shape=(32, 32, 3)), "numpy"
    )
    error = refused(tensors, tmp_path, "These weights are of RegNetX-200MF")
    assert error.unfilled and error.unused
    path = tmp_path / "x.safetensors"
    with pytest.raises(ValueError, match=r"of RegNetX-200MF and not of RegNetX-600MF"):
        keras_regnet.RegNetX("600MF", weights=path)


def test_a_truncated_file(tmp_path):
    path = tmp_path / "whole.safetensors"
    safetensors.save_file(state(), path)
    whole = path.read_bytes()
    for length in (0, 5, 200, len(whole) - 100):
        refused(whole[:length], tmp_path, "damaged or not in the saf", ValueError)


def test_no_regnet_at_all(tmp_path):
    refused({"a": np.ones(3)}, tmp_path, "no RegNet of timm.*'a'", ValueError)


def test_other_kinds_of_files(tmp_path):
    for name, message in (
        ("x.h5", "not an .h5 of Keras 2"),
        ("x.weights.h5", "damaged or of another network"),
        ("x.keras", "damaged or of another network"),
    ):
        refused(b"no such format", tmp_path, message, ValueError, name)
    with pytest.raises(ValueError, match="no file"):
        read(tmp_path / "absent.safetensors")
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(ValueError, match=r"ends in one of .*notes\.txt"):
        read(tmp_path / "notes.txt")


def test_an_own_file_with_nan_leaves_the_model(tmp_path):
    bad = randomise(tiny())
    bad.get_layer("stem").bn.gamma.assign(np.full(8, np.nan))
    path = tmp_path / "bad.weights.h5"
    bad.save_weights(path)
    refused(path.read_bytes(), tmp_path, "not finite", ValueError, path.name)


def test_half_precision_is_widened(tmp_path):
    tensors = {key: value.astype(np.float16) for key, value in state().items()}
    path = tmp_path / "half.safetensors"
    safetensors.save_file(tensors, path)
    model = tiny()
    load_weights(model, path)
    np.testing.assert_array_equal(
        model.get_layer("head_fc").kernel, tensors["head.fc.weight"].T
    )
    assert model.get_layer("head_fc").kernel.dtype == "float32"


@pytest.mark.peers
@pytest.mark.parametrize("name", ["x.safetensors", "x.pth"])
def test_bfloat16_is_widened(name, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensors = {
        key: torch.from_numpy(np.array(value)).to(torch.bfloat16)
        for key, value in state().items()
    }
    save = save_file if name.endswith("safetensors") else torch.save
    save(tensors, tmp_path / name)
    model = tiny()
    load_weights(model, tmp_path / name)
    np.testing.assert_array_equal(
        model.get_layer("head_fc").kernel, tensors["head.fc.weight"].float().T.numpy()
    )


class Bomb:
    """A pickle that runs code when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.peers
def test_code_in_a_pickle_does_not_run(tmp_path):
    torch = pytest.importorskip("torch")
    proof = tmp_path / "it_ran"
    pickle.loads(pickle.dumps(Bomb(proof)))  # this is what it would do
    proof.rmdir()
    for name in ("x.pth", "x.pyth"):
        refused(pickle.dumps(Bomb(proof), 2), tmp_path, "more than", ValueError, name)
        torch.save({"model_state": Bomb(proof)}, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        refused(content, tmp_path, "without running code", ValueError, name)
        assert not proof.exists()


@pytest.mark.peers
def test_damaged_torch_files(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "whole.pth"
    torch.save({k: torch.from_numpy(v) for k, v in state().items()}, path)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2):
        refused(whole[:length], tmp_path, "damaged", ValueError, "x.pth")
    for content, message in (
        ([1, 2], "holds a list"),
        ({"stem.conv.weight": "text"}, "'stem.conv.weight' is a str"),
    ):
        torch.save(content, path)
        refused(path.read_bytes(), tmp_path, message, ValueError, "x.pth")


def test_a_missing_torch_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(ImportError, match=r"keras-regnet\[torch\]"):
        read(tmp_path / "x.pth")


def test_the_head_is_left_with_a_warning(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file(state(), path)
    keras.utils.set_random_seed(3)
    fresh = tiny(classes=7)
    keras.utils.set_random_seed(3)
    with pytest.warns(UserWarning, match="for 5 classes and the model for 7"):
        model = tiny(classes=7, weights=path)
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(
            getattr(model.get_layer("head_fc"), name),
            getattr(fresh.get_layer("head_fc"), name),
        )
    np.testing.assert_array_equal(
        model.get_layer("s2_b1").conv3.bn.moving_mean,
        state()["s2.b1.conv3.bn.running_mean"],
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The classifier")
        tiny(include_top=False, weights=path)
        # Left out, the number is that of the file.
        model = tiny(classes=None, weights=path)
    np.testing.assert_array_equal(
        model.get_layer("head_fc").bias, state()["head.fc.bias"]
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["own.keras", "own.weights.h5"])
def test_files_of_this_package_follow_the_same_rule(name, tmp_path):
    path = tmp_path / name
    source = randomise(tiny())
    (source.save if name.endswith(".keras") else source.save_weights)(path)
    keras.utils.set_random_seed(3)
    fresh = tiny(classes=7)
    keras.utils.set_random_seed(3)
    with pytest.warns(UserWarning, match="for 5 classes and the model for 7"):
        model = tiny(classes=7, weights=path)
    expected = [*source.weights[:-2], *fresh.weights[-2:]]
    for one, two in zip(model.weights, expected, strict=True):
        assert one.path == two.path
        np.testing.assert_array_equal(one, two)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The classifier")
        body = tiny(include_top=False, weights=path)
        again = tiny(classes=None, weights=path)
    for one, two in zip(again.weights, source.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(body.weights, source.weights, strict=False):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="of another network"):
        tiny(depth=4, weights=path, classes=7)
