"""Files that are written whole, on this machine's own file systems."""

import pytest

from keras_regnet import files
from keras_regnet.publishing import publish
from keras_regnet.publishing.exports import export_formats
from keras_regnet.training.recipe_files import read_recipe
from keras_regnet.training.saved_run import load_run
from keras_regnet.transfer import fine_tune
from keras_regnet.transfer.exporting import export_trained
from keras_regnet.weights import download, hub
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
        (lambda path: fine_tune(None, None, None, path), "run_dir"),
        (
            lambda path: fine_tune(None, None, None, "run", publish_dir=path),
            "publish_dir",
        ),
        (lambda path: list(export_trained(None, ["onnx"], path)), "output_dir"),
        (
            lambda path: hub.fetch_from_hub("owner/model", "a", cache_dir=path),
            "cache_dir",
        ),
        (read_recipe, "recipe_file"),
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
