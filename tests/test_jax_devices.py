"""Training on several devices with JAX: two of the CPU's."""

import pytest

from tests.test_backends import run

pytestmark = pytest.mark.backends


def test_two_devices_train_what_one_trains():
    """The weights, and with them masks and statistics, are the global batch's."""
    run(
        "tests.on_two_devices",
        "jax",
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )
