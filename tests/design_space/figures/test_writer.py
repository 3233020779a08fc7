"""The files: both formats, whole, the same each time."""

import sys
import xml.etree.ElementTree as ET

import pytest

from keras_regnet.design_space.figures import write_figures
from tests.design_space.populations import results

pytest.importorskip("matplotlib")
ALL = ["edfs", "edfs_matched", "random_search", "fit_errors", "training_curves"]
EACH = ["properties", "ranks", "networks"]


def study():
    hostile = results([0.2, 0.4, 0.3], name='<b> & "c"')
    return [results([0.1, 0.2, 0.3]), hostile]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_figures(study(), tmp_path_factory.mktemp("f") / "deep" / "figures")


@pytest.mark.long
def test_files(written):
    image = pytest.importorskip("PIL.Image")
    names = [*ALL, *(f"{kind}_{name}" for name in ("a", "b_c") for kind in EACH)]
    assert [path.name for path in written] == [
        f"{name}.{suffix}" for name in names for suffix in ("png", "svg")
    ]
    # Nothing that was written aside is left.
    assert sorted(written[0].parent.iterdir()) == sorted(written)
    for path in written:
        if path.suffix == ".png":
            with image.open(path) as picture:
                picture.load()
                assert picture.format == "PNG" and min(picture.size) > 200
        else:
            root = ET.parse(path).getroot()
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert b"date" not in path.read_bytes().lower()


def test_the_same_results_give_the_same_svg(written, tmp_path):
    """Also where no PNG was written before."""
    first = [path for path in written if path.suffix == ".svg"]
    second = write_figures(study(), tmp_path, formats=["svg"])
    for one, other in zip(first, second, strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes(), one.name


def test_one_space_is_not_matched(tmp_path):
    written = write_figures([results([0.1, 0.2])], tmp_path, formats=["svg"])
    assert "edfs_matched.svg" not in [path.name for path in written]


@pytest.mark.parametrize(
    ("found", "formats", "message"),
    [
        ([], ["png"], "Received: {}"),
        ([results([0.1])], ["png"], r"two networks.*Received: {'a': 1}"),
        ([results([0.1, 0.2])], ["pdf"], "formats.*pdf"),
        (
            [results([0.1, 0.2], name="a-b"), results([0.1, 0.2], name="A_b")],
            ["png"],
            "must differ.*'a-b', 'A_b'",
        ),
    ],
)
def test_refused(tmp_path, found, formats, message):
    with pytest.raises(ValueError, match=message):
        write_figures(found, tmp_path / "new", formats)
    assert not (tmp_path / "new").exists()


def test_without_matplotlib(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"keras-regnet\[plots\]"):
        write_figures([results([0.1, 0.2])], tmp_path)
