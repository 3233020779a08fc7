"""Files that are written whole, on this machine's own file systems."""

import pytest

from keras_regnet import files
from keras_regnet.publishing import publish
from keras_regnet.publishing.exports import export_formats
from keras_regnet.training.saved_run import load_run
from keras_regnet.weights import download
from tests.small_networks import tiny


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda path: files.write_text(path, "text"), "path"),
        (lambda path: publish(tiny(), path), "directory"),
        (lambda path: export_formats(tiny(), ["onnx"], path), "output_dir"),
        (
            lambda path: download.fetch(
                "https://example.org/a", file_name="a", sha256="0" * 64, cache_dir=path
            ),
            "cache_dir",
        ),
        (load_run, "path"),
    ],
)
@pytest.mark.parametrize("place", ["gs://bucket/a", "s3://bucket/a", "ram://a"])
def test_remote_places_are_refused_and_no_folder_is_called_so(
    write, name, place, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"Received: {name}='{place}'"):
        write(place)
    assert not list(tmp_path.iterdir())
