"""Comparing outputs: what is computed, and what is refused."""

import dataclasses

import numpy as np
import pytest

from keras_regnet.publishing.agreement import (
    Agreement,
    DisagreementError,
    check,
    check_top1,
    compare,
    together,
)


def test_the_largest_difference_over_the_largest_magnitude():
    expected = np.array([[1.0, -8.0, 2.0], [0.5, 1.0, 0.0]])
    outputs = np.add(expected, [[0.0, 0.0, 0.02], [0.6, 0.0, -0.01]])
    found = compare(outputs, expected)
    assert found.relative_difference == pytest.approx(0.6 / 8)
    assert found.top1 == 0.5
    assert found.images == 2
    assert "0.075, top-1 agreement 50.00%, 2 images" in str(found)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.top1 = 1.0


def test_float32_outputs_are_compared_in_float64():
    found = compare(np.float32([[3e38, 0]]), np.float32([[-3e38, 0]]))
    assert found.relative_difference == pytest.approx(2.0)


def test_several_outputs_and_several_batches():
    map_ = np.ones((2, 4, 4, 3))
    expected = {"P1": map_, "P2": 10 * map_}
    found = compare({"P1": map_ + 0.5, "P2": 10 * map_ + 1}, expected)
    assert found == Agreement(0.5, None, 2)
    batches = [Agreement(0.1, 1.0, 1), Agreement(0.3, 0.5, 3)]
    assert together(batches) == Agreement(0.3, 0.625, 4)
    assert together([found, found]).top1 is None


def test_all_zeros_differ_by_their_difference():
    zeros = np.zeros((1, 3))
    assert compare(zeros, zeros).relative_difference == 0.0
    assert compare(zeros + 2.0, zeros).relative_difference == 2.0


@pytest.mark.parametrize("place", ["outputs", "expected"])
def test_what_is_not_a_number_never_passes(place):
    arrays = {"outputs": np.ones((2, 3)), "expected": np.ones((2, 3))}
    arrays[place][1, 1] = np.nan
    found = compare(**arrays)
    with pytest.raises(DisagreementError, match=r"Received: nan"):
        check(together([Agreement(0.0, 1.0, 2), found]), 1e9, "outputs")


def test_refusals_name_the_tolerance_and_what_was_found():
    found = Agreement(0.25, 0.9, 10)
    check(found, 0.25, "outputs")
    check_top1(found, 0.9, "outputs")
    message = r"of its outputs .* above the tolerance of 0\.2\. Received: 0\.25$"
    with pytest.raises(DisagreementError, match=message):
        check(found, 0.2, "its outputs")
    with pytest.raises(DisagreementError, match=r"below 0\.95\. Received: 0\.9$"):
        check_top1(found, 0.95, "its outputs")
    with pytest.raises(DisagreementError, match=r"Received: None$"):
        check_top1(Agreement(0.0, None, 1), 0.1, "maps")


def test_other_shapes_and_names_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\)\. Received: \(2, 4\)"):
        compare(np.ones((2, 4)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"\['P1'\]\. Received: \['P2'\]"):
        compare({"P2": np.ones((1, 1))}, {"P1": np.ones((1, 1))})
