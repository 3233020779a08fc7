"""The gallery of augmentations."""

import numpy as np
import pytest
import tensorflow as tf

from keras_regnet.data.gallery import gallery, sample_photographs
from tests.data.pictures import pictures
from tests.script_runner import run_script


def test_every_row_has_every_photograph():
    encoded = [tf.io.encode_jpeg(image).numpy() for image in pictures(70, 90)[:3]]
    rows = gallery(encoded, size=48)
    whole = np.stack(rows.pop("as it is"))
    assert len(rows) > 10
    for name, images in rows.items():
        images = np.stack(images)
        assert images.shape == whole.shape == (3, 48, 48, 3)
        assert images.dtype == np.uint8
        assert (images != whole).any(), name
    again = gallery(encoded, size=48)
    np.testing.assert_array_equal(again["randaugment"], rows["randaugment"])
    other = gallery(encoded, size=48, seed=1)
    assert (np.stack(other["randaugment"]) != np.stack(rows["randaugment"])).any()


@pytest.mark.long
def test_the_script_draws_and_refuses(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    for number, encoded in enumerate(sample_photographs(1)):
        (tmp_path / f"{number}.jpg").write_bytes(encoded)
    output = tmp_path / "sheet.png"
    good, bad = run_script(
        "show_augmentations.py",
        [
            [f"--output={output}", "--size=32", *map(str, tmp_path.glob("*.jpg"))],
            [f"--output={output}", str(tmp_path / "absent.jpg")],
        ],
        tmp_path,
    )
    assert good.returncode == 0, good.stderr
    assert output.read_bytes().startswith(b"\x89PNG")
    assert bad.returncode == 2
    assert "absent.jpg" in bad.stderr
