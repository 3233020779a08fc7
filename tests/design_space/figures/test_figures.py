"""What is drawn, against numbers worked out by hand."""

import numpy as np
import pytest

from keras_regnet.design_space import figures
from keras_regnet.design_space.figures.look import upper_end
from tests.design_space.populations import networks, results

pytest.importorskip("matplotlib")


def axes_of(picture):
    return picture.figure.axes


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_edfs():
    picture = figures.draw_edfs(
        [results([0.3, 0.1, 0.2, 0.1]), results([0.2, 0.4], name="b")]
    )
    (axes,) = axes_of(picture)
    first, second = axes.lines
    assert first.get_drawstyle() == second.get_drawstyle() == "steps-post"
    # Up at the errors 10, 20 and 30 %, before and after level.
    np.testing.assert_allclose(first.get_xdata()[1:-1], [10, 10, 20, 30])
    np.testing.assert_allclose(first.get_ydata(), [0, 0, 0.5, 0.75, 1, 1])
    np.testing.assert_allclose(second.get_ydata(), [0, 0, 0.5, 1, 1])
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    assert len(axes.collections) == 2  # the bands
    (legend,) = picture.figure.legends
    assert texts(legend) == ["a | 4 | 10.00 % | 17.50 %", "b | 2 | 20.00 % | 30.00 %"]
    assert "a: 4 networks, best 10.00 %, mean 17.50 %" in picture.alt


def test_the_band_of_an_edf_holds_it():
    (axes,) = axes_of(figures.draw_edfs([results([0.1, 0.2, 0.3, 0.4])]))
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    # Of four draws from four the smallest error is seen 0 to 3 times: with a
    # probability of 2.5 % at least none (0.32) and three (0.05 with four).
    there = vertices[np.isclose(vertices[:, 0], 10)]
    assert there[:, 1].min() == 0 and there[:, 1].max() == 0.75


def test_edfs_at_equal_flops_count_what_both_have():
    deep, deeper, other = networks([1, 2, 3])
    first = results([0.1, 0.2], [deep, deeper])
    second = results([0.3, 0.4], [deep, other], name="b")
    picture = figures.draw_matched_edfs([first, second])
    (axes,) = axes_of(picture)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0, 0, 1, 1, 1])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [0, 0, 1, 1, 1])
    assert texts(axes.get_legend()) == ["a | 1 | 10.00 %", "b | 1 | 30.00 %"]
    assert axes.get_title() == "D = 1.00, p = 1: not told apart"
    none = figures.draw_matched_edfs([first, results([0.3], [other], name="b")])
    assert axes_of(none)[0].get_title() == "b: none at equal flops"
    with pytest.raises(ValueError, match=r"two. Received: \['a'\]"):
        figures.draw_matched_edfs([first])
    with pytest.raises(ValueError, match="cost"):
        figures.draw_matched_edfs([first, second], cost="time")


def test_properties():
    """The deeper the better: depths 2 to 41, errors from 50 % on downwards."""
    errors = [0.5 - 0.01 * i for i in range(40)]
    population = results(errors)
    picture = figures.draw_properties(population)
    by_label = {axes.get_xlabel(): axes for axes in axes_of(picture)}
    # Widths, ratios and groups are the same in all; the depth of stage 2 is not.
    assert set(by_label) == {
        "flops (M)",
        "parameters (k)",
        "activations (k)",
        "depth (blocks)",
        "depth of stage 2",
        "mean width of blocks",
        "e_fit",
    }
    axes = by_label["depth (blocks)"]
    assert axes.get_title() == "Spearman -1.00"
    points = axes.lines[-1]
    np.testing.assert_array_equal(points.get_xdata(), range(2, 42))
    np.testing.assert_allclose(points.get_ydata(), 100 * np.array(errors))
    # The best of ten draws is one of the ranks 1 to 13 with 98 % (1 - (27 / 40)^10), of
    # 1 to 12 with 97 %; of 1 to 3 with 54 % (1 - (37 / 40)^10), of 1 and 2 with 40 %.
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (29, 41)
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [39, 39])
    flops = by_label["flops (M)"].lines[-1].get_xdata()
    np.testing.assert_allclose(flops, population.table["flops"] / 1e6)
    assert "depth (blocks) -1.00, best 39 (29 to 41)" in picture.alt


def test_one_that_learnt_nothing_does_not_squeeze_the_others():
    errors = [0.10 + 0.01 * i for i in range(20)]
    assert upper_end(100 * np.array(errors)) == pytest.approx(29)
    assert upper_end(100 * np.array([*errors, 0.9])) == pytest.approx(29)
    assert upper_end(np.array([5.0, 5.0])) == 5
    picture = figures.draw_properties(results([*errors, 0.9]))
    assert picture.title.endswith("(1 network above 29.8 %)")
    axes = axes_of(picture)[3]
    mark = axes.lines[-1]
    assert mark.get_marker() == "^" and mark.get_xdata().tolist() == [22]
    assert mark.get_ydata()[0] == pytest.approx(axes.get_ylim()[1])


def test_networks():
    found = [*networks([1, 2]), *networks([3, 1], widths=(32, 8))]
    picture = figures.draw_networks(results([0.2, 0.1, 0.3, 0.4], found))
    best, second, third, worst = axes_of(picture)
    assert best.get_title().startswith("1st: 10.00 %, e_fit 0.00")
    assert worst.get_title().startswith("4th: 40.00 %, e_fit ")
    drawn = [
        [patch.get_data().values.tolist() for patch in a.patches]
        for a in (best, second, third, worst)
    ]
    assert [each[1] for each in drawn] == [
        [8, 16, 16],
        [8, 16],
        [32, 8, 8, 8],
        [32, 8],
    ]
    assert drawn[0][0] == [8, 16, 16]  # the rule makes them exactly
    assert drawn[2][0] == sorted(drawn[2][0])  # no rule falls
    assert best.get_yscale() == "log"
    assert best.patches[0].get_linestyle() != best.patches[1].get_linestyle()
    two = figures.draw_networks(results([0.2, 0.1]))
    assert len(axes_of(two)) == 2


def test_random_search():
    picture = figures.draw_random_search([results([0.3, 0.1, 0.2])])
    line = axes_of(picture)[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    # Of the three pairs two have the error 10 %, one 20 %.
    np.testing.assert_allclose(line.get_ydata(), [20, 40 / 3, 10])


def test_fit_errors():
    found = [*networks([2]), *networks([3], widths=(32, 8))]
    each = results([0.1, 0.2], found)
    picture = figures.draw_fit_errors([each, results([0.3, 0.4], name="b")])
    points = axes_of(picture)[0].lines[-1]
    np.testing.assert_allclose(points.get_ydata(), [10, 20])
    fits = points.get_xdata()
    # The first is a rule. Of the second's four blocks the nearest rule misses one.
    np.testing.assert_allclose(fits, [0, np.log(4) / 4])
    assert [axes.get_title() for axes in axes_of(picture)] == ["a", "b"]


def test_training_curves():
    curves = [(0.9, 0.3), (0.8, 0.1), (0.7, 0.2), (0.6, 0.4)]
    each = results([0.3, 0.1, 0.2, 0.4], curves=curves)
    (axes,) = axes_of(figures.draw_training_curves([each]))
    thin, strong = axes.lines[:4], axes.lines[4:]
    drawn = sorted(line.get_ydata().tolist() for line in thin)
    np.testing.assert_allclose(drawn, 100 * np.array(sorted(curves)))
    ends = {line.get_label(): line.get_ydata().tolist() for line in strong}
    assert ends == {
        "worst 40.00 %": [60, 40],
        "median 20.00 %": [70, 20],
        "best 10.00 %": [80, 10],
    }
    assert strong[0].get_linewidth() > 2 * thin[0].get_linewidth()


def test_training_curves_without_an_error_have_a_linear_scale():
    (axes,) = axes_of(figures.draw_training_curves([results([0.0, 0.1])]))
    assert axes.get_yscale() == "linear"
    (axes,) = axes_of(figures.draw_training_curves([results([0.01, 0.1])]))
    assert axes.get_yscale() == "log"


def test_ranks():
    each = results([0.3, 0.1, 0.2])
    picture = figures.draw_ranks(each, (("depth", "flops"), ("b", "g")))
    axes, _ = axes_of(picture)  # and the colour bar; b and g are the same in all
    (points,) = axes.collections
    # The worst first, so that the best lies on top: depths 2, 3, 4.
    np.testing.assert_array_equal(points.get_offsets()[:, 0], [2, 4, 3])
    np.testing.assert_allclose(points.get_array(), [1, 0.5, 0])
    assert figures.draw_ranks(each, (("b", "g"),)) is None


def test_long_names_fit():
    long = "a_name_" + 20 * "of_many_letters_" + "end"
    found = [results([0.1, 0.2]), results([0.3, 0.4], name=long)]
    for draw in (figures.draw_edfs, figures.draw_random_search):
        figure = draw(found).figure
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    text = texts(axes_of(figures.draw_matched_edfs(found))[0].get_legend())[1]
    assert text == "a_name_of_m…etters_end | 2 | 35.00 %"
