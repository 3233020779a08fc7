"""What the report says, against numbers worked out by hand."""

import html.parser
import sys

import pytest

from keras_regnet import RegNetParameters
from keras_regnet.design_space.networks import decode
from keras_regnet.design_space.report import write_study_report, writer
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.training.report.html import element
from tests.design_space.populations import write_study

pytest.importorskip("matplotlib")
HOSTILE = "<i>A</i> & b"
REASON = "ResourceExhaustedError: <b>too</b> wide"
GAP = "\N{NO-BREAK SPACE}"


class Page(html.parser.HTMLParser):
    """The tables by their captions, the texts, and the pictures of a page."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.pictures, self.tags = {}, {}, []
        self.texts, self._open, self._rows = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "link"):
            self._open.append(tag)
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag == "svg":
            self.pictures[dict(attributes)["data-name"]] = dict(attributes)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag  # well nested

    def handle_data(self, data):
        where = self._open[-1] if self._open else ""
        if where == "caption":
            self.tables[data] = self._rows
        elif where in ("td", "th"):
            self._rows[-1][-1] += data
        elif where not in ("style", "text") and data.strip():
            self.texts.append(data)

    def table(self, start):
        """The rows of the table whose caption begins so, by their first cells."""
        (rows,) = [rows for name, rows in self.tables.items() if name.startswith(start)]
        return {row[0]: row[1:] for row in rows}


def report(path, **arguments):
    with StudyFile.read(path) as study:
        written = write_study_report(study, path.parent / "report.html", **arguments)
    return written


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Errors of 10 to 40 %, and of 1 to 4 %; a third space has hardly begun."""
    return write_study(
        tmp_path_factory.mktemp("study") / "study.sqlite",
        {
            HOSTILE: ("anynetx_a", [0.4, 0.1, 0.3, 0.2, REASON]),
            "regnetx": ("regnetx", [0.01, 0.02, 0.04, 0.03, None, None]),
            "vionet": ("vionet", [0.5, "died", None]),
        },
    )


@pytest.fixture(scope="module")
def page(study):
    return Page(report(study, acceptance={"regnetx": 0.014}).read_text())


@pytest.mark.long
def test_nothing_runs_and_nothing_is_fetched(page):
    assert not {"script", "img", "iframe", "object", "i", "b"} & set(page.tags)
    assert page.tags.count("html") == 1


def test_spaces(page):
    rows = page.table("The spaces")
    assert list(rows) == ["space", HOSTILE, "regnetx"]
    # Two stages: depth, width, bottleneck and group of each; or d, w0, wa, wm, b, g.
    assert rows[HOSTILE][0] == "8" and rows["regnetx"][0] == "6"
    assert rows[HOSTILE][2:5] == ["4", "1", "0"]
    assert rows["regnetx"][2:5] == ["4", "0", "2"]
    assert rows[HOSTILE][5:] == [f"{v}{GAP}%" for v in ("10.00", "25.00", "25.00")] + [
        "\N{EN DASH}"
    ]
    wanted = ("1.00", "2.50", "2.50", "1.40")
    assert rows["regnetx"][5:] == [f"{v}{GAP}%" for v in wanted]


def test_comparisons(page):
    """Two orders of the 70 of four and four set all errors of one before the other."""
    row = page.table("As sampled")[f"{HOSTILE} and regnetx"]
    verdict = f"differ: regnetx has more networks up to 4.00{GAP}%"
    assert row == ["4, 4", "1.000", "0.029", "1.000", verdict]
    assert len(page.table("As sampled")) == 2  # with the heading
    assert len(page.table("At equal flops")) == 2


def test_headline_and_notes(page):
    text = " ".join(page.texts)
    for words in (
        "8 done; 1 failed, 2 left",
        f"1.00{GAP}% of regnetx",
        f"2.50{GAP}% of regnetx",
        "9 min 0 s",  # nine networks of a minute
        "Still to be trained: 2 of regnetx (its numbers are of 4).",
        "vionet is left out: 1 network is done (1 failed), and two are needed.",
        "trained for 2 epochs on 1,000 images of 28×28×1 of digits, augmented, in "
        "batches of 128, with a learning rate that falls from 0.05",
        "the share of 500 held-out images",
    ):
        assert words in text, words
    assert "seeds" not in text


def test_properties(page, study):
    correlations = page.table("Spearman")
    ranges = page.table("Where the best network")
    assert set(correlations) == set(ranges)
    for name in ("flops", "depth of stage 1", "width of stage 2", "e_fit"):
        assert name in correlations
    assert correlations["wm of the rule"][0] == "\N{EN DASH}"
    # One draw of four networks: each is the best with a quarter.
    with StudyFile.read(study) as opened:
        records = opened.records(space="regnetx")[:4]
    found = sorted(decode(record.network).depth for record in records)
    low, median, high = found[0], found[1], found[3]
    wanted = str(median) if low == high else f"{median} ({low} to {high})"
    assert ranges["depth (blocks)"][1] == wanted


def test_best_networks(page, study):
    rows = page.table("regnetx: the best 4 of 4")
    head = rows["rank"]
    assert [row[0] for key, row in rows.items() if key != "rank"] == [
        f"{error}.00{GAP}%" for error in (1, 2, 3, 4)
    ]
    with StudyFile.read(study) as opened:
        network = decode(opened.records(space="regnetx")[0].network)
    assert isinstance(network, RegNetParameters)
    cells = dict(zip(head, rows["1"], strict=True))
    assert [int(cells[name]) for name in ("d", "w0", "g")] == [
        network.depth,
        network.w0,
        network.group_width,
    ]
    assert float(cells["wa"]) == pytest.approx(network.wa, rel=1e-5)
    assert float(cells["wm"]) == pytest.approx(network.wm, rel=1e-5)
    assert float(cells["b"]) == network.bottleneck_ratio
    stages = network.anynet().stages
    assert cells["depths"] == ", ".join(str(stage.depth) for stage in stages)
    assert cells["widths"] == ", ".join(str(stage.width) for stage in stages)
    assert "w0" not in page.table(f"{HOSTILE}: the best 4 of 4")["rank"]


def test_failures_and_how_it_was_made(page, study):
    assert page.table("Networks that failed") == {
        "space": ["number in the file", "seed", "reason"],
        HOSTILE: ["5", "0", REASON],
        "vionet": ["13", "0", "died"],
    }
    with StudyFile.read(study) as opened:
        assert page.table("Regime")["digest"] == [opened.regime.digest]
        (session,) = opened.fact("sessions")
    software = page.table("Software")
    assert software["processor"] == [session["processor"]]
    assert software["versions.keras"] == [session["versions"]["keras"]]
    assert page.table("Images")["judged images"] == ["500"]
    assert page.table("Sampling")["space"] == ["anynetx_a", "regnetx", "vionet"]
    assert page.table("Workers")["a processor, 1 core"] == ["11", "9 min 0 s"]


def test_pictures(page):
    each = ("properties", "ranks", "networks")
    assert set(page.pictures) == {
        "edfs",
        "edfs_matched",
        "random_search",
        "fit_errors",
        "training_curves",
        *(f"{kind}_{name}" for kind in each for name in ("i_a_i_b", "regnetx")),
    }
    for attributes in page.pictures.values():
        assert attributes["role"] == "img"
    alt = page.pictures["edfs"]["aria-label"]
    assert f"{HOSTILE}: 4 networks, best 10.00 %, mean 25.00 %" in alt


@pytest.fixture
def undrawn(monkeypatch):
    """The pictures stay empty: to draw them takes seconds."""
    monkeypatch.setattr(
        writer, "drawing", lambda picture: element("svg", data_name=picture.name)
    )


def test_one_space_and_seeds(tmp_path, undrawn):
    """Network variances: of the means 10 and 20 %, 50, less half the seeds' 2."""
    errors = [(0.09, 0.11), (0.19, 0.21)]
    path = write_study(
        tmp_path / "s.sqlite", {"one": ("anynetx_a", errors)}, seeds=(0, 1)
    )
    page = Page(report(path).read_text())
    assert page.table("Variance")["one"] == ["2", "49", "2", "24.5"]
    assert "edfs" in page.pictures and "edfs_matched" not in page.pictures
    assert "As sampled" not in page.tables
    assert "the mean over 2 seeds" in " ".join(page.texts)
    assert page.table("The spaces")["one"][5] == f"10.00{GAP}%"


def test_some_spaces_alone(study, undrawn):
    page = Page(report(study, names=["regnetx"]).read_text())
    assert list(page.table("The spaces")) == ["space", "regnetx"]
    assert "vionet" not in " ".join(page.texts)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["vionet"], "2 networks that are done.*Received: {'vionet': 1}"),
        (["regnetx", "other"], r"regnetx, vionet. Received: \['other'\]"),
    ],
)
def test_refused(study, tmp_path, names, message):
    with (
        StudyFile.read(study) as opened,
        pytest.raises(ValueError, match=message),
    ):
        write_study_report(opened, tmp_path / "r.html", names)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        StudyFile.read(study) as opened,
        pytest.raises(ImportError, match=r"keras-regnet\[plots\]"),
    ):
        write_study_report(opened, tmp_path / "r.html")
