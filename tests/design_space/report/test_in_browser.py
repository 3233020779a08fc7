"""The report in headless Chromium: all of it drawn, nothing fetched, nothing wrong."""

import pytest

from keras_regnet.design_space.report import write_study_report
from keras_regnet.design_space.study_file import StudyFile
from tests import browser
from tests.design_space.populations import write_study

pytest.importorskip("matplotlib")
pytestmark = browser.MARKS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    path = write_study(
        folder / "study.sqlite",
        {
            "<i>A</i> & a rather long name": ("anynetx_a", [0.4, 0.1, 0.3, 0.9]),
            "regnetx": ("regnetx", [0.01, 0.02, 0.04, "too <b>wide</b>"]),
        },
    )
    with StudyFile.read(path) as study:
        return write_study_report(study, folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everything_is_drawn_and_nothing_is_fetched(page, report, width, scheme):
    page.resize(width)
    page.prefer(scheme)
    page.open(report)
    assert page.complaints() == []
    assert page.requests() == [report.resolve().as_uri()]
    assert page.run("document.scripts.length") == 0
    pictures = page.run(browser.DRAWN)
    assert len(pictures) == 5 + 2 * 3
    for name, across, down, inside in pictures:
        assert across > 200 and down > 100 and inside > 20, name
    assert page.run("document.documentElement.scrollWidth") <= width
    contrast, where = page.run(browser.CONTRAST)
    assert contrast >= 4.5, where


def test_lines_are_lighter_on_dark_pages(page, report):
    seen = {}
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        page.open(report)
        seen[scheme] = page.run(
            "getComputedStyle(document.querySelector('[data-name=edfs] "
            "path[style*=series-1]')).stroke"
        )
    assert seen == {"light": "rgb(0, 114, 178)", "dark": "rgb(77, 163, 224)"}
