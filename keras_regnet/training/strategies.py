"""Which devices a training run uses, from the words of a command line."""

import tensorflow as tf

STRATEGIES = ("auto", "single", "mirrored")


def split_cpu(count: int) -> None:
    """Splits the CPU into `count` logical devices, to try replicas without GPUs.

    Raises:
        ValueError: `count` is below 1, or TensorFlow has already started.
    """
    if count < 1:
        raise ValueError(f"logical_cpu_devices must be at least 1. Received: {count}")
    try:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    except RuntimeError as error:
        raise ValueError(
            "The CPU can only be split before TensorFlow first uses it. "
            f"Received: {error}"
        ) from error


def use_gpus(count: int | None = None, memory_growth: bool = False) -> None:
    """Chooses the GPUs of this process, before TensorFlow first uses one.

    Args:
        count: The first so many; None for all.
        memory_growth: Whether their memory is taken as it is needed.

    Raises:
        ValueError: There are not so many, or TensorFlow has already started.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if count is not None and not 0 <= count <= len(gpus):
        raise ValueError(
            f"num_gpus must be at most the {len(gpus)} GPUs of this machine. "
            f"Received: {count}"
        )
    try:
        if count is not None:
            tf.config.set_visible_devices(gpus[:count], "GPU")
        if memory_growth:
            for gpu in gpus[:count]:
                tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ValueError(
            "GPUs can only be chosen before TensorFlow first uses one. "
            f"Received: {error}"
        ) from error


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes a strategy from its name.

    Args:
        name: `"single"` for one device; `"mirrored"` for all visible GPUs, or for all
            logical CPU devices where there is no GPU; `"auto"` for `"mirrored"` where
            several GPUs are visible, otherwise `"single"`.

    Returns:
        A `tf.distribute.MirroredStrategy`, or the default strategy.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}. Received: {name!r}")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "single" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    if gpus:
        return tf.distribute.MirroredStrategy()
    # TensorFlow's default way of adding up on CPUs breaks with a second strategy in
    # one process.
    return tf.distribute.MirroredStrategy(
        [device.name for device in tf.config.list_logical_devices("CPU")],
        cross_device_ops=tf.distribute.ReductionToOneDevice(),
    )
