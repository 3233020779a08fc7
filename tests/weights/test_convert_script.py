"""scripts/convert_weights.py: converts, compares, refuses."""

import keras
import numpy as np
import pytest

import keras_regnet
from keras_regnet.weights import to_timm_state_dict
from tests.script_runner import run_script
from tests.small_networks import tiny
from tests.torch_peer import logits, random_timm_model, relative_difference
from tests.weights.files import write_official, write_safetensors
from tests.weights.test_keras_applications import NAMES, write_keras2

safetensors = pytest.importorskip("safetensors.numpy")
pytest.importorskip("absl")


@pytest.mark.peers
def test_converts_what_the_sources_write(tmp_path):
    timms = random_timm_model("regnetx_002")
    write_safetensors(timms, tmp_path / "timm.safetensors")
    official = write_official("regnety_002", tmp_path / "official.pyth")
    import torch
    from torchvision import models

    twin = models.regnet_x_400mf().eval()
    torch.save(twin.state_dict(), tmp_path / "tv.pth")
    cases = [
        (f"--input={tmp_path / name}", f"--output={tmp_path / name}.keras", *more)
        for name, more in (
            ("timm.safetensors", ("--source=timm", "--include_preprocessing")),
            ("tv.pth", ("--model=RegNetX-400MF",)),
            ("official.pyth", ("--source=pycls",)),
            (
                "timm.safetensors",
                ("--tolerance=0", f"--output={tmp_path / 'refused.keras'}"),
            ),
        )
    ]
    runs = run_script("convert_weights.py", cases, tmp_path)
    assert [run.returncode for run in runs] == [0, 0, 0, 2], [r.stderr for r in runs]
    for run in runs[:2]:
        rows = [line.split() for line in run.stdout.splitlines() if "random" in line]
        assert len(rows) == 4
        assert all(float(row[-2]) < 1e-4 and row[-1] == "yes" for row in rows), rows
    assert "Not compared with the source: pycls" in runs[2].stdout
    assert "nothing was written" in runs[3].stderr
    assert not (tmp_path / "refused.keras").exists()

    images = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3))
    images = images.astype("float32")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalised = ((images / 255 - mean) / std).astype("float32")
    for name, theirs, ours_see, they_see in (
        ("timm.safetensors", timms, images, normalised),
        ("tv.pth", twin, normalised, normalised),
        ("official.pyth", official, normalised, normalised[..., ::-1]),
    ):
        model = keras.saving.load_model(tmp_path / f"{name}.keras")
        outputs = keras.Model(model.input, model.get_layer("head_fc").output)(ours_see)
        assert relative_difference(outputs, logits(theirs, they_see)) < 1e-4, name


@pytest.mark.long
def test_bad_flags_and_files(tmp_path):
    good = tmp_path / "good.safetensors"
    model = keras_regnet.RegNetX("200MF", input_shape=(32, 32, 3), classes=3)
    safetensors.save_file(to_timm_state_dict(model, "numpy"), good)
    unpublished = tmp_path / "tiny.safetensors"
    safetensors.save_file(to_timm_state_dict(tiny(), "numpy"), unpublished)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(good.read_bytes()[:1000])
    own = tmp_path / "own.weights.h5"
    model.save_weights(own)
    output = f"--output={tmp_path / 'x.keras'}"
    cases = [
        ((f"--input={good}", "--output=x.h5"), "--output must be a .keras file"),
        ((f"--input={good}", "--output=/no/folder/x.keras"), "a folder that exists"),
        ((f"--input={tmp_path / 'absent.pth'}", output), "no file"),
        ((f"--input={broken}", output), "damaged"),
        ((f"--input={own}", output), "a file of keras_regnet already"),
        ((f"--input={unpublished}", output), "of no published network"),
        ((f"--input={good}", output, "--model=RegNetX-600MF"), "and not of RegNetX-6"),
        ((f"--input={good}", output, "--source=torchvision"), "Received: --input="),
        (
            (*(f"--input={good}", output), "--source=pycls", "--model=RegNetX-200MF"),
            "does not fit",
        ),
        ((f"--input={good}", output, f"--images={tmp_path}"), "--images must be"),
        (("--input=timm/regnety_032.rb_in1k", output), "timm/regnety_032.ra_in1k"),
        (("--input=timm/regnety_160.swag_lc_in1k", output), "accept_license"),
    ]
    runs = run_script("convert_weights.py", [case for case, _ in cases], tmp_path)
    for (case, message), run in zip(cases, runs, strict=True):
        assert run.returncode == 2, (case, run.stdout, run.stderr)
        assert message in run.stderr and "Traceback" not in run.stderr, run.stderr
    assert not (tmp_path / "x.keras").exists()


def test_keras_applications_needs_no_torch(tmp_path):
    pytest.importorskip("h5py")
    name = NAMES["RegNetX002"]
    source = keras_regnet.RegNet(name, padding="same", classes=4)
    write_keras2(source, tmp_path / "net.h5", "regnetx002_", "XBlock")
    case = (f"--input={tmp_path / 'net.h5'}", f"--output={tmp_path / 'net.keras'}")
    (run,) = run_script("convert_weights.py", [case], tmp_path, fresh=True)
    assert run.returncode == 0, run.stderr
    assert "Not compared" in run.stdout or "yes" in run.stdout
    converted = keras.saving.load_model(tmp_path / "net.keras")
    for one, two in zip(source.weights, converted.weights, strict=True):
        np.testing.assert_array_equal(one, two)
