"""`weights=` in the builders: names, twins, heads, channels, and what images expect."""

import logging
import warnings

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet import applications
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights import loading, to_timm_state_dict

safetensors = pytest.importorskip("safetensors.numpy")
SHAPE = (64, 64, 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files as the hub has them, by network."""
    folder = tmp_path_factory.mktemp("hub")
    found = {}
    for network in ("RegNetX-200MF", "RegNetX-400MF-torchvision"):
        model = keras_regnet.RegNet(network, input_shape=SHAPE)
        rng = np.random.default_rng(0)
        for variable in model.weights:
            if "kernel" not in variable.path:
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        path = folder / f"{network}.safetensors"
        safetensors.save_file(to_timm_state_dict(model, "numpy"), path)
        found[network] = path
    return found


@pytest.fixture
def hub(monkeypatch, files):
    """A hub that gives those files; the list of what it was asked for."""
    asked = []

    def fetch_from_hub(repo_id, file_name, **options):
        asked.append((repo_id, file_name, options["sha256"]))
        network = "RegNetX-200MF" if "x_002" in repo_id else "RegNetX-400MF-torchvision"
        return files[network]

    monkeypatch.setattr(loading, "fetch_from_hub", fetch_from_hub)
    return asked


def kernel(path, name="s1.b1.conv2.conv.weight"):
    return safetensors.load_file(path)[name].transpose(2, 3, 1, 0)


def test_imagenet_is_timms_pycls_in1k(hub, files):
    model = keras_regnet.RegNetX("200MF", weights="imagenet", input_shape=SHAPE)
    assert hub == [("timm/regnetx_002.pycls_in1k", "model.safetensors", None)]
    np.testing.assert_array_equal(
        model.get_layer("s1_b1").conv2.conv.kernel, kernel(files["RegNetX-200MF"])
    )
    specification = keras_regnet.preprocessing_for(model).specification
    assert (specification.interpolation, specification.mean[0]) == ("bicubic", 0.485)


def test_the_default_of_keras_2_works(hub):
    model = applications.RegNetX002()
    assert hub[0][0] == "timm/regnetx_002.pycls_in1k"
    assert model.input_shape == (None, 224, 224, 3)
    pixels = np.full((1, 224, 224, 3), 128.0)
    np.testing.assert_allclose(np.sum(model(pixels)), 1, rtol=1e-5)


def test_the_twin_is_built_where_a_name_was_given(hub, caplog):
    with caplog.at_level(logging.WARNING, "keras_regnet"):
        model = keras_regnet.RegNetX(
            "400MF", weights="tv2_in1k", input_shape=SHAPE, include_top=False
        )
    assert model.output_shape[-1] == 400
    assert model.name == "regnetx_400mf_torchvision"
    assert "RegNetX-400MF-torchvision is built" in caplog.text
    assert hub[0][0] == "timm/regnetx_004_tv.tv2_in1k"
    assert len(hub[0][2]) == 64


def test_otherwise_the_twin_is_named_before_anything_is_downloaded(hub):
    numbers = {"depth": 22, "w0": 24, "wa": 24.48, "wm": 2.54, "group_width": 16}
    with pytest.raises(ValueError, match=r"of RegNetX-400MF-torchvision and not of"):
        keras_regnet.RegNetX(**numbers, weights="tv2_in1k")
    twin = keras_regnet.RegNetX(
        **numbers, rounding="torchvision", weights="tv2_in1k", input_shape=SHAPE
    )
    assert len(hub) == 1
    assert twin.get_layer("s4_b1").filters == 400
    with pytest.raises(ValueError, match="of RegNetX-200MF and not of RegNetX-400MF"):
        keras_regnet.RegNetX("400MF", weights="timm/regnetx_002.pycls_in1k")
    with pytest.raises(ValueError, match="of RegNetX-400MF and not of RegNetX-400MF-t"):
        keras_regnet.RegNetX("regnet_x_400mf", weights="timm/regnetx_004.pycls_in1k")
    assert len(hub) == 1


def test_a_licence_that_is_not_permissive_is_to_be_accepted(hub):
    name = "timm/regnety_160.swag_ft_in1k"
    with pytest.raises(ValueError, match=r"cc-by-nc-4\.0.*accept_license=False"):
        keras_regnet.RegNetY("16GF", weights=name)
    with pytest.raises(ValueError, match="seer-license"):
        keras_regnet.RegNetY("64GF", weights="seer_ft_in1k")
    assert hub == []
    with pytest.raises(ValueError, match="does not fit"):  # the hub of this test
        keras_regnet.RegNetY(
            "16GF", weights=name, accept_license=True, include_top=False
        )
    assert hub[0][0] == name


def test_a_new_head_and_no_head(files):
    path = files["RegNetX-200MF"]
    with pytest.warns(UserWarning, match="for 1000 classes and the model for 10"):
        model = keras_regnet.RegNetX("200MF", weights=path, classes=10)
    assert np.array(model.get_layer("head_fc").kernel).std() < 0.02
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The classifier")
        features = keras_regnet.RegNetX("200MF", weights=path, include_top=False)
        maps = keras_regnet.RegNetX(
            "200MF",
            weights=path,
            include_top=False,
            feature_maps=True,
            output_stride=16,
        )
    for other in (features, maps):
        np.testing.assert_array_equal(
            other.get_layer("s4_b7").conv3.conv.kernel,
            model.get_layer("s4_b7").conv3.conv.kernel,
        )


def test_a_small_stem_takes_the_weights_too(files):
    model = keras_regnet.RegNetX(
        depth=13,
        w0=24,
        wa=36.44,
        wm=2.49,
        group_width=8,
        stem="small",
        weights=files["RegNetX-200MF"],
        input_shape=(32, 32, 3),
        include_top=False,
    )
    np.testing.assert_array_equal(
        model.get_layer("stem").conv.kernel,
        kernel(files["RegNetX-200MF"], "stem.conv.weight"),
    )


@pytest.mark.parametrize("include_preprocessing", [True, False])
def test_what_the_weights_expect_survives(include_preprocessing, hub, tmp_path):
    model = keras_regnet.RegNetX(
        "200MF",
        weights="imagenet",
        include_preprocessing=include_preprocessing,
        include_top=False,
    )
    model.save(tmp_path / "model.keras")
    copies = [
        keras.saving.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ]
    expected = PreprocessingSpec(224, 256, "bicubic")
    for each in (model, *copies):
        found = keras_regnet.preprocessing_for(each)
        assert found.specification == expected
        assert found.normalize is not include_preprocessing
    # A network that is given this file's weights expects the same of its images.
    again = keras_regnet.RegNetX(
        "200MF", weights=tmp_path / "model.keras", include_top=False
    )
    assert keras_regnet.preprocessing_for(again).specification == expected


def test_the_callers_preprocessing_goes_before_the_weights(hub):
    mine = PreprocessingSpec(64, 64, mean=(0.5,) * 3, std=(0.25,) * 3)
    arguments = {"weights": "imagenet", "include_top": False, "pooling": "avg"}
    model = keras_regnet.RegNetX(
        "200MF", **arguments, include_preprocessing=True, preprocessing=mine
    )
    plain = keras_regnet.RegNetX("200MF", **arguments)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    np.testing.assert_allclose(
        model(pixels), plain((pixels / 255 - 0.5) / 0.25), rtol=1e-3, atol=1e-4
    )
    with pytest.raises(ValueError, match=r"preprocessing=\(0.5, 0.5\)"):
        keras_regnet.RegNetX("200MF", preprocessing=(0.5, 0.5))


def test_weights_for_larger_images_make_a_larger_input(monkeypatch, files):
    weights = loading.read(files["RegNetX-200MF"])
    larger = PreprocessingSpec(384, 384, "bicubic")
    model = keras_regnet.RegNetX("200MF", weights=weights, preprocessing=larger)
    assert model.input_shape == (None, 384, 384, 3)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_only_by_option(channels, files):
    arguments = {
        "weights": files["RegNetX-200MF"],
        "input_shape": (64, 64, channels),
        "include_preprocessing": True,
    }
    with pytest.raises(ValueError, match="adapt_input_channels=True"):
        keras_regnet.RegNetX("200MF", **arguments)
    model = keras_regnet.RegNetX("200MF", **arguments, adapt_input_channels=True)
    colour = kernel(files["RegNetX-200MF"], "stem.conv.weight")
    ours = np.array(model.get_layer("stem").conv.kernel)
    if channels == 1:
        np.testing.assert_allclose(ours[:, :, 0], colour.sum(axis=2), rtol=1e-5)
    else:
        expected = colour[:, :, [0, 1, 2, 0]] * 0.75
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
    specification = keras_regnet.preprocessing_for(model).specification
    assert specification.mean == (round((0.485 + 0.456 + 0.406) / 3, 6),) * channels


@pytest.mark.peers
@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_other_channels_are_what_timm_makes_of_them(channels):
    from tests.torch_peer import timm

    timm()
    import torch
    from timm.models import adapt_input_conv

    from keras_regnet.weights.channels import adapt_input_channels

    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 8)).astype("float32")
    theirs = adapt_input_conv(
        channels, torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    )
    np.testing.assert_allclose(
        adapt_input_channels(kernel, channels),
        theirs.numpy().transpose(2, 3, 1, 0),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_kernel_for_grey_is_shared_out():
    """The sum over the channels, which a grey picture sees, stays."""
    from keras_regnet.weights.channels import adapt_input_channels

    kernel = np.random.default_rng(0).normal(size=(3, 3, 1, 8)).astype("float32")
    shared = adapt_input_channels(kernel, 3)
    assert shared.shape == (3, 3, 3, 8)
    assert shared.dtype == kernel.dtype
    np.testing.assert_allclose(shared.sum(2, keepdims=True), kernel, rtol=1e-6)
    assert not np.ptp(shared, axis=2).any()
    two = np.ones((3, 3, 2, 8))
    assert adapt_input_channels(two, 3) is two


def test_weights_of_the_wrong_kind_are_named():
    with pytest.raises(ValueError, match="Received: 3"):
        keras_regnet.RegNetX("200MF", weights=3)
    with pytest.raises(ValueError, match=r"RegNetX-200MF.*Received: 'imagnet'"):
        keras_regnet.RegNetX("200MF", weights="imagnet")
