"""The report in headless Chromium: all of it drawn, nothing fetched, nothing wrong."""

import pytest

from keras_regnet.training.report import write_report
from tests import browser
from tests.training.report import runs

pytest.importorskip("matplotlib")
pytestmark = browser.MARKS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    run = runs.write_run(tmp_path_factory.mktemp("runs") / "run")
    names = ["a rather long name of a class", "b", runs.HOSTILE]
    return write_report(run, runs.evaluation(), class_names=names, recipe={"x": 1})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_everything_is_drawn_and_nothing_is_fetched(page, report, width, scheme):
    page.resize(width)
    page.prefer(scheme)
    page.open(report)
    assert page.complaints() == []
    assert page.requests() == [report.resolve().as_uri()]
    assert page.run("document.scripts.length") == 0
    assert page.run("document.title").endswith("training report")
    pictures = page.run(browser.DRAWN)
    assert len([p for p in pictures if p[0] != "legend"]) == 5 + 1 + 4
    for name, across, down, inside in pictures:
        assert across > 0 and down > 0 and inside > 0, name
        assert name == "legend" or across > 100, name
    assert page.run("document.documentElement.scrollWidth") <= width
    contrast, where = page.run(browser.CONTRAST)
    assert contrast >= 4.5, where


def test_dark_light_and_paper_differ(page, report):
    seen = {}
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page.prefer(scheme, media)
        page.open(report)
        seen[scheme, media] = page.run(
            "getComputedStyle(document.body).backgroundColor"
        )
    assert len(set(seen.values())) == 3
    assert seen["dark", "print"] == "rgb(255, 255, 255)"


def test_a_thousand_classes_and_long_names_fit_a_phone(page, tmp_path):
    names = [f"{'long' * 20} name {number}" for number in range(1000)]
    run = runs.write_run(tmp_path)
    page.resize(360)
    page.prefer("light")
    page.open(write_report(run, runs.evaluation(1000), class_names=names))
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.run("document.documentElement.scrollWidth") <= 360


def test_the_browser_reports_what_is_wrong(page, tmp_path):
    """What the tests above look for is found where it is there."""
    path = tmp_path / "wrong.html"
    path.write_text(
        "<!DOCTYPE html><title>wrong</title><body style='background: #777'>"
        "<p style='color: #888; width: 3000px'>text</p>"
        "<figure><img src='missing.png' alt='x'><svg aria-label='y'></svg></figure>"
        "<script>console.error('wrong')</script>"
    )
    page.resize(360)
    page.open(path)
    methods = {event["method"] for event in page.complaints()}
    assert methods == {"Runtime.consoleAPICalled", "Log.entryAdded"}
    assert len(page.requests()) == 2
    assert page.run("document.documentElement.scrollWidth") > 360
    assert page.run(browser.CONTRAST)[0] < 1.5
    assert [not inside for *_, inside in page.run(browser.DRAWN)] == [True, True]
