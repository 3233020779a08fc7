"""Networks by the numbers that make them, of every kind."""

from keras_regnet.design_space import MLPParameters, spaces
from keras_regnet.design_space.records import DONE, Record
from keras_regnet.design_space.report.networks import best_networks_table, numbers
from keras_regnet.design_space.results import PopulationResults
from tests.design_space.populations import results


def test_stages_of_a_network_without_a_rule():
    made = numbers(results([0.1, 0.2, 0.3]), 2)
    assert made == {"depths": "1, 3", "widths": "8, 16", "b": "1, 1", "g": "8, 8"}


def test_perceptrons():
    found = MLPParameters((1, 2), (32, 16)), MLPParameters((2, 1), (16, 64))
    records = [
        (Record(i, "m", i, "{}", 0, 1, 1, 1, DONE, errors=(error,)),)
        for i, error in enumerate((0.2, 0.1))
    ]
    space = spaces.mlp(stages=2)
    each = PopulationResults("m", space, found, tuple(records), 0, 0)
    assert numbers(each, 0) == {"depths": "1, 2", "widths": "32, 16"}
    table = best_networks_table(each)
    cells = [[cell.text for cell in row] for row in table.iter("tr")]
    assert cells[0][:2] == ["rank", "error"] and cells[0][-2:] == ["depths", "widths"]
    assert [row[-1] for row in cells[1:]] == ["16, 64", "32, 16"]
    # 28 x 28 pixels, 16 and 16 and 64 units without biases, ten classes with.
    assert cells[1][2] == f"{(784 * 16 + 16 * 16 + 16 * 64 + 65 * 10) / 1e3:.3g} k"
