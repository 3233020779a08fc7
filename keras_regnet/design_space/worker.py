"""Who trains networks, one after another: a process with its share of a machine."""

from dataclasses import dataclass, field

import tensorflow as tf

from keras_regnet import provenance
from keras_regnet.design_space.cores import ClaimedCores
from keras_regnet.design_space.images import Images
from keras_regnet.design_space.networks import AnyNetwork
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.steps import DeviceImages
from keras_regnet.design_space.trial import TrialError, TrialResult, train_network


@dataclass(frozen=True)
class Task:
    """A network that is to be trained.

    Attributes:
        number: Of the network, in the study.
        network: The network.
        seed: What it is trained with.
    """

    number: int
    network: AnyNetwork = field(repr=False)
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: The task.
        worker: Who had it.
        result: What came out, where it was trained.
        reason: Why it was not.
        died: Whether the worker died over it, so that another may try.
        worn: Whether the worker should not be given anything more.
    """

    task: Task
    worker: str
    result: TrialResult | None = None
    reason: str = ""
    died: bool = False
    worn: bool = False


class Worker:
    """Trains networks in this process; the images are made ready once.

    Args:
        regime: How networks are trained.
        images: What they are trained with.
        name: What the worker is called in records.
    """

    def __init__(self, regime: Regime, images: Images, name: str = "0") -> None:
        self.regime = regime
        self.images = DeviceImages(images, regime)
        self.name = f"{name}: {_device()}"

    def run(self, task: Task) -> Outcome:
        """Trains a network; what is wrong with it is in the outcome, not raised."""
        try:
            result = train_network(task.network, task.seed, self.regime, self.images)
        except TrialError as error:
            return Outcome(task, self.name, reason=str(error), worn=error.out_of_memory)
        return Outcome(task, self.name, result)


def limit_process(cpus: float, gpus: float, pinned: bool) -> ClaimedCores | None:
    """Holds a new process to its share of the machine, before TensorFlow is used.

    Args:
        cpus: How many cores it may use; at least one thread.
        gpus: How many GPUs; with a part of one, its memory is taken as it is needed.
        pinned: Whether it is held to cores of its own, where so many are free.

    Returns:
        The cores, to be kept for as long as the process works.
    """
    threads = max(1, int(cpus))
    claimed = None
    if pinned and not gpus:
        claimed = ClaimedCores(threads)
        claimed.bind()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    devices = tf.config.list_physical_devices("GPU")
    if not gpus:
        tf.config.set_visible_devices([], "GPU")
    elif devices:
        for device in devices:
            tf.config.experimental.set_memory_growth(device, True)
        tf.config.experimental.enable_op_determinism()
    return claimed


def _device() -> str:
    """The processor, or the GPUs, and how much of it."""
    if gpus := tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} x {details.get('device_name', 'GPU')}"
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    threads = threads or provenance.cores() or 1
    return f"{provenance.processor_name()}, {threads} core{'s' * (threads > 1)}"
