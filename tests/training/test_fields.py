"""Fields of a dataclass as words."""

import dataclasses

import pytest

from keras_regnet.training.fields import fields_of, read_section
from keras_regnet.training.recipes import SECTIONS


@dataclasses.dataclass
class Example:
    """An example.

    Attributes:
        width: How wide it is, in
            centimetres.
        name: `None` for no name.
        pair: Two numbers.

    Raises:
        ValueError: Never.
    """

    width: float
    name: str | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    count: int | str = 3


def test_types_defaults_and_meanings():
    fields = fields_of(Example)
    assert list(fields) == ["width", "name", "pair", "count"]
    assert fields["width"].kind is float
    assert fields["width"].default is dataclasses.MISSING
    assert fields["width"].meaning == "How wide it is, in centimetres."
    assert (fields["name"].kind, fields["name"].optional) == (str, True)
    assert (fields["pair"].kind, fields["pair"].optional) == (tuple, False)
    assert fields["pair"].meaning == "Two numbers."
    assert fields["count"].kind is object


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_of_a_configuration_has_a_meaning(section):
    for field in fields_of(SECTIONS[section]).values():
        assert field.meaning, field.name


def test_words_become_numbers_where_a_number_belongs():
    assert read_section("example", Example, {"width": "5e-5"}) == {"width": 5e-5}
    assert read_section("example", Example, {"width": 2}) == {"width": 2.0}
    assert read_section("example", Example, {"name": "1"}) == {"name": "1"}
    assert read_section("example", Example, {"width": "wide"}) == {"width": "wide"}


def test_unknown_fields_get_the_nearest_names():
    with pytest.raises(ValueError, match=r"Did you mean width.*Received: 'widht'"):
        read_section("example", Example, {"widht": 1})
