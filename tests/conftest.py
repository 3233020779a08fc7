"""Settings of the whole test run: quiet logs, two logical CPU devices."""

import contextlib
import gc
import os
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The triton of a CUDA build of torch crashes when it is loaded after TensorFlow, which
# the conftest files of some folders load.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import pytest

# Before TensorFlow, whose switches it sets.
import keras_regnet  # noqa: F401


def pytest_configure(config):
    """Splits the CPU in two, for the tests of tf.distribute, before TensorFlow runs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores Ctrl-C, and so would the programs under test.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    # Graphs are made of so many objects that looking for garbage among TensorFlow's
    # own takes a twelfth of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def same_seed_for_every_test():
    """Makes every test start from the same random state."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def without_gpus(monkeypatch):
    """As on a machine without GPUs, also where there are some."""
    import tensorflow as tf

    for name in ("get_visible_devices", "list_logical_devices"):
        found = getattr(tf.config, name)
        monkeypatch.setattr(
            tf.config,
            name,
            lambda kind=None, found=found: [] if kind == "GPU" else found(kind),
        )


@pytest.fixture(scope="module")
def page():
    """A page of headless Chromium, for tests with `browser.MARKS`."""
    from tests import browser

    with browser.open_page() as page:
        yield page
