import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib import image as matplotlib_image

from keras_regnet import plots
from keras_regnet.architecture import AnyNetParameters, Stage, variant

HISTORY = [
    {
        "epoch": epoch,
        "learning_rate": 0.1 * (10 - epoch) / 10,
        "train_loss": 2.3 / epoch,
        "train_accuracy": 1 - 0.8 / epoch,
        "validation_loss": 2.5 / epoch + 0.1,
        "validation_accuracy": 0.95 - 0.8 / epoch,
    }
    for epoch in range(1, 11)
]


def check_picture(path, smallest=300):
    """A PNG, large enough, in which a fair part of the pixels is not background."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib_image.imread(path)[..., :3]
    assert min(pixels.shape[:2]) >= smallest
    ink = np.mean(np.any(pixels < 0.9, axis=-1))
    assert 0.005 < ink < 0.9
    assert len(np.unique(np.rint(255 * pixels) @ (1, 256, 256**2))) > 20  # colours
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return pixels


@pytest.mark.parametrize("name", ["RegNetX-400MF", "RegNetY-32GF", "RegNetX32"])
def test_widths(tmp_path, name):
    path = tmp_path / "widths.png"
    plots.plot_widths(variant(name), path, title=name)
    check_picture(path)


def test_learning_rate(tmp_path):
    path = tmp_path / "rate.png"
    plots.plot_learning_rate([(0.1, 0.2), (0.2, 0.1), (0.05, 0.05)], path, "a recipe")
    check_picture(path)
    with pytest.raises(ValueError, match="Received"):
        plots.plot_learning_rate([], path)


def test_widths_differ_between_networks(tmp_path):
    pictures = []
    for name in ("RegNetX-400MF", "RegNetX-400MF-torchvision"):
        path = tmp_path / "widths.png"
        plots.plot_widths(variant(name), path)
        pictures.append(check_picture(path))
    assert pictures[0].shape == pictures[1].shape
    assert np.any(pictures[0] != pictures[1])


@pytest.mark.parametrize("depths", [(1,), (40, 40), (1,) * 12])
def test_widths_of_unusual_networks(tmp_path, depths):
    path = tmp_path / "widths.png"
    stages = tuple(Stage(depth, 8 + 8 * i) for i, depth in enumerate(depths))
    plots.plot_widths(AnyNetParameters(stages), path)
    check_picture(path)


def test_learning_curves(tmp_path):
    path = tmp_path / "curves.png"
    plots.plot_learning_curves(HISTORY, path, title="RegNetX32 on digits")
    check_picture(path)


@pytest.mark.parametrize("epochs", [1, 3])
def test_learning_curves_without_validation(tmp_path, epochs):
    rows = [
        {k: v for k, v in row.items() if not k.startswith("validation")}
        for row in HISTORY[:epochs]
    ]
    rows[0]["train_loss"] = float("nan")
    path = tmp_path / "curves.png"
    plots.plot_learning_curves(rows, path)
    check_picture(path)


def test_learning_curves_join_the_epochs_that_were_judged(tmp_path):
    def blue(value):
        rows = [dict(row) for row in HISTORY * 4]  # so many that they have no marks
        for epoch, row in enumerate(rows, 1):
            row["epoch"] = epoch
            if epoch % 5:
                for name in ("validation_loss", "validation_accuracy"):
                    row.pop(name) if value == "absent" else row.update({name: None})
        path = tmp_path / "curves.png"
        plots.plot_learning_curves(rows, path)
        red, _, blue = np.moveaxis(matplotlib_image.imread(path)[..., :3], -1, 0)
        return np.mean(blue > red + 0.3)

    assert blue("absent") > 3 * blue("gaps")


def test_learning_curves_want_an_epoch(tmp_path):
    with pytest.raises(ValueError, match="Received: "):
        plots.plot_learning_curves([], tmp_path / "curves.png")


@pytest.mark.parametrize("classes", [2, 10, 25, 60])
def test_confusion_matrix(tmp_path, classes):
    generator = np.random.default_rng(0)
    matrix = np.diag(generator.integers(20, 90, classes))
    matrix = matrix + generator.integers(0, 4, (classes, classes))
    matrix[0] = 0  # a class that does not occur
    path = tmp_path / "confusion.png"
    plots.plot_confusion_matrix(matrix, [f"class {i}" for i in range(classes)], path)
    check_picture(path)


@pytest.mark.parametrize(
    ("matrix", "names"),
    [(np.ones((2, 3)), ["a", "b"]), (np.ones((2, 2)), ["a"]), (np.ones((0, 0)), [])],
)
def test_confusion_matrix_of_bad_input(tmp_path, matrix, names):
    with pytest.raises(ValueError, match="Received: "):
        plots.plot_confusion_matrix(matrix, names, tmp_path / "confusion.png")


def test_failure_leaves_the_old_picture(tmp_path):
    path = tmp_path / "no folder" / "curves.png"
    with pytest.raises(OSError):
        plots.plot_learning_curves(HISTORY, path)
    assert not path.parent.exists()


def test_no_pyplot():
    """Importing loads no matplotlib; drawing loads no pyplot, which has global state.

    Keras itself imports pyplot where it can, so here the package is entered without
    its `__init__`.
    """
    program = f"""
import pathlib, sys, tempfile, types
package = types.ModuleType("keras_regnet")
package.__path__ = [{str(Path(plots.__file__).parents[1])!r}]
sys.modules["keras_regnet"] = package
from keras_regnet import plots
assert "matplotlib" not in sys.modules
path = pathlib.Path(tempfile.mkdtemp()) / "curves.png"
plots.plot_learning_curves([{{"epoch": 1}}], path)
assert path.exists() and "matplotlib.figure" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_of_images(tmp_path, channels):
    random = np.random.default_rng(0)
    shape = (3, 40, 40, channels)
    rows = {
        name: list(random.integers(0, 256, shape).astype(np.uint8))
        for name in ("as it is", "turned", "erased", "mixed", "cut")
    }
    plots.plot_images(rows, tmp_path / "rows.png")
    check_picture(tmp_path / "rows.png")
    plots.plot_images({"alone": rows["cut"][:1]}, tmp_path / "rows.jpg", title="one")
    assert (tmp_path / "rows.jpg").read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("rows", [{}, {"a": []}, {"a": [1, 2], "b": [3]}])
def test_rows_must_be_equally_long(tmp_path, rows):
    with pytest.raises(ValueError, match=r"as many in each row.*Received: "):
        plots.plot_images(rows, tmp_path / "rows.png")
    assert not list(tmp_path.iterdir())


def test_phases_are_marked(tmp_path):
    plain, marked = tmp_path / "a" / "1.png", tmp_path / "b" / "1.png"
    for path, phases in (
        (plain, ()),
        (marked, (("head", 4), ("none", 0), ("body", 6))),
    ):
        path.parent.mkdir()
        plots.plot_learning_curves(HISTORY, path, phases=phases)
    assert check_picture(plain).shape == check_picture(marked).shape
    assert not np.array_equal(check_picture(plain), check_picture(marked))


def test_contact_sheet(tmp_path):
    random = np.random.default_rng(0)
    sizes = [(8, 8, 1), (50, 80, 3), (300, 200, 3), (8, 8, 2)]
    images = [random.integers(0, 255, size).astype("uint8") for size in sizes]
    captions = [("said b (0.9)", "is a", f"{'long ' * 9}{i}.jpg") for i in range(4)]
    path = tmp_path / "sheet.png"
    plots.plot_contact_sheet(images, captions, path, "All 4 mistakes", columns=3)
    check_picture(path)
    path.unlink()
    plots.plot_contact_sheet(images[:1], [("one",)], path)
    assert path.is_file()
    for wrong in (captions[:3], [*captions[:3], ("short",)]):
        with pytest.raises(ValueError, match="Received: 4 images"):
            plots.plot_contact_sheet(images, wrong, path)
    with pytest.raises(ValueError, match="Received: 0 images"):
        plots.plot_contact_sheet([], [], path)
