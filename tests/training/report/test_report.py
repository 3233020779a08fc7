"""What stands in a report, and what a run directory may lack."""

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from keras_regnet.training.evaluation import Evaluation
from keras_regnet.training.report import write_report
from keras_regnet.training.report import writer as writer_module
from keras_regnet.training.report.charts import Curve, chart, thinned
from keras_regnet.training.report.pictures import data_uri
from keras_regnet.training.report.record import read_record
from keras_regnet.training.report.wording import duration, probability
from tests.training.report import runs

matplotlib_image = pytest.importorskip("matplotlib.image")

VOID = {"meta", "link", "img", "br", "hr"}


class Reader(HTMLParser):
    """Reads a page as a browser does: the elements, their texts, and the nesting."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def read(path):
    return Reader(path.read_text(encoding="utf-8"))


def test_a_whole_report(tmp_path):
    run = runs.write_run(tmp_path / "run")
    names = ("cat", "dog", runs.HOSTILE)
    page = read(write_report(run, runs.evaluation(), class_names=names))
    assert [a["data-name"] for a in page.all("svg") if "data-name" in a] == [
        "loss",
        "accuracy",
        "learning_rate",
        "images_per_second",
        "data_wait",
    ]
    for attributes in page.all("svg"):
        assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert len(page.all("img")) == 4
    for attributes in page.all("img"):
        assert attributes["src"].startswith("data:image/png;base64,")
        assert "cat, taken for dog" in attributes["alt"]
    headings = [f"{a['id']}-heading" for a in page.all("section")]
    assert headings == [a["id"] for a in page.all("h2")]
    assert len(page.all("table")) == len(page.all("caption")) >= 7
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for attributes in page.all("a"):
        assert attributes["href"].removeprefix("#") in ids
    for expected in (
        "68.33 %",
        "69.33 %",
        "+1.00 points beside the raw weights",
        "1,002 images/s, median; 10 % waiting for data",
        "181 k",
        "answer: dog 99.0 % true: cat 0.1 %",
        "0.08, 1",
    ):
        assert expected in page.text
    # 30 s of training with a tenth of waiting, 6 s, 1.5 s, and 2.5 s of 40 are left
    assert (
        "training 27 s 67.5 waiting for data 3.0 s 7.5 validation 6.0 s 15.0 "
        "checkpoints 1.5 s 3.8 other 2.5 s 6.2" in page.text
    )


def test_what_comes_from_data_is_text_and_never_markup(tmp_path):
    run = runs.write_run(tmp_path / "run", class_names=[runs.HOSTILE] * 3)
    path = write_report(run, runs.evaluation(), recipe={"data": {"x": runs.HOSTILE}})
    page = read(path)
    assert not page.all("script")
    kept = "<script>alert('x')</script> & \"quotes\" \ufffd\ufffd ü"
    assert page.text.count(kept) > 10
    assert f"folder:/pictures/{kept}" in page.text
    links = [a.get("href", a.get("src", "")) for _, a in page.elements]
    assert not [link for link in links if link and not link.startswith(("#", "data:"))]
    assert "url(" not in re.sub(r"url\(#p\w+\)", "", path.read_text(encoding="utf-8"))
    policy = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


@pytest.mark.parametrize(
    ("columns", "absent"),
    [
        ({"averaged": False}, "averaged weights"),
        ({"averaged": False, "validation": False}, "validation"),
    ],
)
def test_runs_without_averaging_or_validation(tmp_path, columns, absent):
    page = read(write_report(runs.write_run(tmp_path / "run", **columns)))
    assert absent not in page.text.lower()
    assert "training" in page.text


def test_a_run_of_the_log_alone(tmp_path):
    """Older runs have no metrics.jsonl, and one may have no result yet."""
    run = runs.write_run(tmp_path / "run")
    (run / "metrics.jsonl").unlink()
    (run / "result.json").unlink()
    (run / "log.csv").write_text(
        "epoch,learning_rate,train_loss,train_accuracy,validation_accuracy\n"
        "1,0.1,2.5,0.25,\n2,0.05,nan,0.5,0.625\n"
    )
    page = read(write_report(run))
    assert "This run is not over: 2 of 3 epochs." in page.text
    assert "62.50 %" in page.text
    assert "50.00 – 2 0.05 nan" not in page.text  # gaps stay in their columns
    assert "1 0.1 2.5 25.00 – 2 0.05 nan 50.00 62.50" in page.text
    names = [a["data-name"] for a in page.all("svg") if "data-name" in a]
    assert names == ["loss", "accuracy", "learning_rate"]


def test_a_run_that_has_only_begun(tmp_path):
    (tmp_path / "config.json").write_text('{"configuration": {}}')
    page = read(write_report(tmp_path))
    assert tmp_path.name in page.text
    assert not page.all("svg")


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    run = runs.write_run(tmp_path)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"kind": "step", "epo')
    assert len(read_record(run).epochs) == 3
    with open(run / "metrics.jsonl", "a") as file:
        file.write("\n{}\n")
    with pytest.raises(ValueError, match="Received: line 34"):
        read_record(run)


def test_what_cannot_be_reported(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json. Received: "):
        write_report(tmp_path)
    run = runs.write_run(tmp_path / "run")
    with pytest.raises(OSError, match="Cannot write"):
        write_report(run, path=tmp_path / "nowhere" / "report.html")
    write_report(run)
    before = (run / "report.html").read_bytes()
    (run / "result.json").write_text("{")
    with pytest.raises(ValueError, match=r"result\.json must be a JSON file"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before
    assert not list(run.glob(".*"))


def test_differences_from_a_recipe(tmp_path):
    run = runs.write_run(tmp_path)
    same = {"training": {"momentum": 0.9}, "data": {"crop_area": (0.08, 1)}}
    assert "Exactly the recipe." in read(write_report(run, recipe=same)).text
    other = {"training": {"momentum": 0.8, "nesterov": True, "epochs": 3}}
    text = read(write_report(run, recipe=other)).text
    assert (
        "Differences from the recipe setting recipe this run "
        "training.momentum 0.8 0.9 training.nesterov yes – Training" in text
    )


def test_many_classes_are_listed_and_not_drawn(tmp_path):
    run = runs.write_run(tmp_path)
    confusion = 10 * np.eye(1000, dtype=int)
    confusion[7, 8] = 5
    confusion[3, 1] = 2
    confusion[4] = 0
    found = Evaluation(confusion, int(confusion.sum()))
    text = read(write_report(run, found)).text
    assert (
        "The 2 most confused pairs of the 1,000 classes true class taken for images "
        "% of the true class class 7 class 8 5 33.3 class 3 class 1 2 16.7" in text
    )
    assert "The 25 classes of least recall" in text
    assert "class 7 15 66.67 100.00 class 3 12 83.33 100.00" in text
    assert "class 4 0 – –" in text
    perfect = Evaluation(10 * np.eye(30, dtype=int), 300)
    text = read(write_report(run, perfect)).text
    assert "No class was taken for another." in text


def test_a_starved_device_is_named(tmp_path):
    run = runs.write_run(tmp_path)
    rows = [runs.epoch_row(1) | {"data_wait": 0.6}, runs.epoch_row(2)]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "waited for data 35 % of the training" in read(write_report(run)).text


def test_what_the_reader_must_know_first(tmp_path):
    run = runs.write_run(tmp_path)
    rows = [
        runs.epoch_row(1) | {"skipped_steps": 2, "unreadable_images": 3},
        runs.epoch_row(2) | {"skipped_steps": 1, "unreadable_images": 4},
    ]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    text = read(write_report(run)).text
    assert "This run was stopped early: 2 of 3 epochs." in text
    assert "4 training images could not be read" in text
    assert "3 steps were skipped" in text


def test_the_best_epoch_is_that_of_the_averages_where_there_are_any(tmp_path):
    run = runs.write_run(tmp_path)
    rows = [runs.epoch_row(epoch) for epoch in (1, 2, 3)]
    rows[0]["validation_accuracy"], rows[1]["ema_validation_accuracy"] = 0.99, 0.98
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "Best epoch 2 averaged weights: 98.00 %" in read(write_report(run)).text


def test_without_matplotlib_there_is_a_report_and_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(writer_module.importlib.util, "find_spec", lambda name: None)
    page = read(write_report(runs.write_run(tmp_path), runs.evaluation()))
    assert "pip install 'keras-regnet[train]'" in page.text
    assert not [a for a in page.all("svg") if "data-name" in a]
    assert "All 3 epochs as a table" in page.text


@pytest.mark.parametrize("shape", [(8, 8, 1), (40, 30, 3), (8, 8, 4), (8, 8, 2)])
def test_small_images_are_kept_exactly(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    kind, _, encoded = data_uri(image).partition(",")
    assert kind == "data:image/png;base64"
    read_back = matplotlib_image.imread(io.BytesIO(base64.b64decode(encoded)))
    expected = image if shape[-1] == 3 else image[..., 0]
    np.testing.assert_array_equal(np.rint(read_back * 255), expected)


def test_large_images_are_reduced():
    image = np.full((900, 450, 3), 77, np.uint8)
    assert data_uri(image).startswith("data:image/jpeg;base64,")
    assert len(data_uri(image)) < 3000


def test_curves_keep_their_gaps_and_lose_points_that_cannot_be_seen():
    y = np.ones(10_000)
    x, thin = thinned(np.arange(10_000), y)
    assert len(x) == len(thin) <= 400
    np.testing.assert_allclose(thin, 1)
    assert x[0] < 25 and x[-1] > 9_975
    y[:5000] = np.nan
    y[7000:] = 3
    _, thin = thinned(np.arange(10_000), y)
    assert np.isnan(thin[:199]).all()
    assert np.isfinite(thin[200:]).all()
    assert np.nanmin(thin) == 1 and np.nanmax(thin) == 3
    few = [1, 2, 3], np.array([1, np.nan, 3])
    assert thinned(*few)[1] is few[1]


def test_charts_do_not_clash_and_take_the_page_s_colours():
    lines = [Curve("a", "train", [1, 2, 3], [1, None, 1000])]
    lines.append(Curve("b", "validation", [1, 2, 3], [3, 2, 1]))
    charts = [chart(name, lines, "alt", ylabel="y") for name in ("one", "two")]
    ids = [{e.get("id") for e in svg.iter() if e.get("id")} for svg in charts]
    assert ids[0] and not ids[0] & ids[1]
    text = ET.tostring(charts[0], "unicode")
    assert "var(--train)" in text and "var(--validation)" in text
    assert "#0000f" not in text and "font-family" not in text
    assert "<style" not in text


def test_a_loss_over_many_powers_of_ten_is_drawn_over_its_logarithm():
    def labels(values):
        curve = Curve("a", "train", [1, 2], values)
        svg = chart("loss", [curve], "alt", ylabel="loss", scale="loss")
        return [each.text for each in svg.iter("text")]

    assert "loss (log scale)" in labels([300, 1])
    assert "loss" in labels([3, 1])
    assert "loss" in labels([300, 0])


@pytest.mark.parametrize("scale", ["loss", "percent"])
def test_the_steep_beginning_does_not_take_the_height(scale):
    x, y = [0.1, 0.5, 1, 2, 3], [90, 40, 9, 7, 5]

    def ticks(start):
        curve = Curve("a", "steps", x[start:], y[start:])
        svg = chart("a", [curve], "alt", ylabel="y", scale=scale)
        return [each.text for each in svg.iter("text")]

    assert ticks(0) == ticks(2)
    assert "40" not in ticks(0)
    only_the_beginning = Curve("a", "steps", x[:2], y[:2])
    chart("a", [only_the_beginning], "alt", ylabel="y", scale=scale)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (7385, "2 h 3 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds, expected):
    assert duration(seconds) == expected


def test_probabilities_are_not_rounded_to_certainty():
    shown = [probability(share) for share in (1, 0.9999, 0.5, 0.0001, 0)]
    assert [text.replace("\xa0", " ") for text in shown] == [
        "100.0 %",
        "> 99.9 %",
        "50.0 %",
        "< 0.1 %",
        "0.0 %",
    ]
