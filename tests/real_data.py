"""The real data, of which KERAS_REGNET_TEST_DATA names the folder."""

import os
from pathlib import Path

import pytest


def real_data(name):
    """The folder of this name in it, or the test skips."""
    folder = Path(os.environ.get("KERAS_REGNET_TEST_DATA") or "/nowhere", name)
    if not folder.is_dir():
        pytest.skip(f"KERAS_REGNET_TEST_DATA names no folder with {name}/")
    return folder
