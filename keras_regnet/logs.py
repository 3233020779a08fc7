"""Other packages' logs: what they tell a person who did not ask."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def errors_only(*names: str) -> Iterator[None]:
    """Lets loggers tell errors alone, and gives them their levels back at the end.

    Args:
        names: The loggers' names, for example `"tensorflow"`.
    """
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
