"""The report in headless Chromium: all of it drawn, nothing fetched, nothing wrong."""

import pytest

from keras_regnet.training.report import write_report
from tests import browser
from tests.training.report import runs

pytest.importorskip("matplotlib")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.PROGRAM is None, reason="Chromium is not installed"),
]

# The boxes in CSS pixels of what is drawn in each picture; an image's own size.
DRAWN = """
[...document.querySelectorAll("figure svg, figure img")].map(picture => {
  const box = picture.getBoundingClientRect();
  if (picture.tagName === "IMG")
    return [picture.alt, box.width, box.height, picture.naturalWidth];
  const parts = [...picture.querySelectorAll("path, line, rect, text")];
  const sizes = parts.map(part => part.getBoundingClientRect());
  const label = picture.getAttribute("aria-label") || "legend";
  return [label, box.width, box.height, Math.max(...sizes.map(size => size.width))];
})
"""

# The least contrast of a text to what is behind it, as the WCAG compute it.
CONTRAST = """
(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) =>
    [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
  const behind = part => {
    const below = part.parentElement ? behind(part.parentElement) : [255, 255, 255];
    return over(numbers(getComputedStyle(part).backgroundColor), below);
  };
  const luminance = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let least = [21, ""];
  for (const part of document.body.querySelectorAll("*")) {
    const text = [...part.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!text || part.matches(".none")) continue;
    const style = getComputedStyle(part);
    const ink = part.tagName === "text" ? style.fill : style.color;
    const below = behind(part);
    const pair = [luminance(over(numbers(ink), below)), luminance(below)].sort();
    const found = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (found < least[0]) least = [found, part.outerHTML.slice(0, 200)];
  }
  return least;
})()
"""


@pytest.fixture(scope="module")
def page():
    with browser.open_page() as page:
        yield page


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
    pictures = page.run(DRAWN)
    assert len([p for p in pictures if p[0] != "legend"]) == 5 + 1 + 4
    for name, across, down, inside in pictures:
        assert across > 0 and down > 0 and inside > 0, name
        assert name == "legend" or across > 100, name
    assert page.run("document.documentElement.scrollWidth") <= width
    contrast, where = page.run(CONTRAST)
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
    assert page.run(CONTRAST)[0] < 1.5
    assert [not inside for *_, inside in page.run(DRAWN)] == [True, True]
