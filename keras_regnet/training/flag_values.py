"""The values of flags as words."""

from typing import Any

from keras_regnet.optional import require

flags = require("absl.flags", "train")

NONE = "none"  # as a value: what None means for the field


class ValueParser(flags.ArgumentParser):
    """Reads a value of a type, or the word for None.

    Args:
        kind: bool, int, float, str or tuple; `object` for a bool or a word.
        optional: Whether the word for None is a value.
    """

    def __init__(self, kind: type, optional: bool) -> None:
        self.kind = kind
        self.optional = optional
        self.syntactic_help = ""

    def parse(self, argument: Any) -> Any:
        """The value.

        Raises:
            ValueError: It is not of the type.
        """
        word = str(argument).strip()
        if self.optional and word.lower() == NONE:
            return NONE
        if self.kind is tuple:
            return tuple(float(each) for each in word.split(","))
        if self.kind is object:
            return {"true": True, "false": False}.get(word.lower(), word)
        return self.kind(word)

    def flag_type(self) -> str:
        """The type's name."""
        return self.kind.__name__
