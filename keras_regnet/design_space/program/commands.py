"""Which function a command is."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from keras_regnet.design_space.program import analysis, sampling, training
from keras_regnet.training.fields import nearest

COMMANDS: Mapping[str, Callable[[Any], None]] = MappingProxyType(
    {
        "sample": sampling.run,
        "train": training.run,
        "report": analysis.run_report,
        "compare": analysis.run_compare,
        "best": analysis.run_best,
    }
)


def run(argv: Sequence[str], values: Any) -> None:
    """Runs a command.

    Args:
        argv: The program's name and the command.
        values: The parsed flags.

    Raises:
        ValueError: There is no such command, or a flag is wrong.
    """
    _, command, *rest = argv
    if command not in COMMANDS:
        raise ValueError(
            f"There is no such command.{nearest(command, COMMANDS)} All of them: "
            f"{', '.join(COMMANDS)}. Received: {command!r}"
        )
    if rest:
        raise ValueError(f"Flags are given as --flag=value. Received: {rest}")
    COMMANDS[command](values)
