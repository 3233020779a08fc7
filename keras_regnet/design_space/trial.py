"""One network of a population: built, trained, judged after every epoch."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from keras_regnet.design_space.networks import AnyNetwork, build
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.steps import DeviceImages, Steps
from keras_regnet.training.optimizers import make_optimizer
from keras_regnet.training.schedules import learning_rates

PHASES = ("building", "tracing", "training", "judging")
_OUT_OF_MEMORY = (tf.errors.ResourceExhaustedError, MemoryError)
_DIGITS = 5  # after the point, of errors and losses in records


@dataclass(frozen=True)
class TrialResult:
    """What came out of training one network.

    Attributes:
        errors: Share of the held-out images that are wrong, after each epoch.
        train_errors: Of the training images, during each epoch.
        train_losses: Their mean loss, likewise.
        seconds: Spent on each of `PHASES`.
    """

    errors: tuple[float, ...]
    train_errors: tuple[float, ...]
    train_losses: tuple[float, ...]
    seconds: dict[str, float]


class TrialError(Exception):
    """A network that cannot be trained; the message is its reason in the record.

    Attributes:
        out_of_memory: Whether the process should not be used any more.
    """

    def __init__(self, reason: str, out_of_memory: bool = False) -> None:
        super().__init__(reason)
        self.out_of_memory = out_of_memory

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.out_of_memory)


def train_network(
    network: AnyNetwork, seed: int, regime: Regime, images: DeviceImages
) -> TrialResult:
    """Trains and judges one network.

    The result depends on the arguments and the machine alone. Keras' global state is
    cleared, and the seeds of Python, numpy and Keras are set.

    Args:
        network: The network.
        seed: Of its initialisation, the order of the images and their augmentation.
        regime: How it is trained.
        images: What it is trained with.

    Raises:
        TrialError: It cannot be built, it needs too much memory, or its loss became
            infinite or NaN.
    """
    try:
        with _plain_graphs():
            return _train(network, seed, regime, images)
    except TrialError:
        raise
    except _OUT_OF_MEMORY as error:
        raise TrialError(f"out of memory: {_first_line(error)}", True) from None
    except Exception as error:  # whatever it is, the next network must have its turn
        raise TrialError(f"{type(error).__name__}: {_first_line(error)}") from error
    finally:
        keras.utils.clear_session()


def _train(
    network: AnyNetwork, seed: int, regime: Regime, images: DeviceImages
) -> TrialResult:
    clock = _Clock()
    keras.utils.set_random_seed(seed)
    try:
        model = _build(network, regime, images)
    except _OUT_OF_MEMORY:
        raise
    except Exception as error:
        raise TrialError(f"could not be built: {_first_line(error)}") from error
    training = regime.training_config()
    optimizer = make_optimizer(training, model.trainable_variables)
    optimizer.build(model.trainable_variables)
    steps = Steps(model, optimizer, images)
    clock.passed("building")
    steps.trace()
    clock.passed("tracing")
    errors, train_errors, train_losses = [], [], []
    for epoch in range(regime.epochs):
        rates = learning_rates(training, epoch, images.steps)
        loss, error = steps.train(rates, seed, epoch)
        clock.passed("training")
        if not math.isfinite(loss):
            raise TrialError(
                f"loss not finite: {loss} in epoch {epoch + 1} of {regime.epochs}"
            )
        errors.append(round(steps.judge(), _DIGITS))
        train_errors.append(round(error, _DIGITS))
        train_losses.append(round(loss, _DIGITS))
        clock.passed("judging")
    return TrialResult(
        tuple(errors), tuple(train_errors), tuple(train_losses), clock.seconds
    )


@contextmanager
def _plain_graphs() -> Iterator[None]:
    """Graphs are run as they were traced, where there is no GPU to rewrite them for.

    TensorFlow's rewriting takes a second of each network (14 blocks), and the steps of
    these graphs do not become faster by it.
    """
    if tf.config.get_visible_devices("GPU"):
        yield
        return
    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _build(network: AnyNetwork, regime: Regime, images: DeviceImages) -> keras.Model:
    """Builds a model in the regime's precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(regime.precision)
    try:
        return build(network, images.shape, images.classes)
    finally:
        keras.config.set_dtype_policy(before)


class _Clock:
    """Adds up the seconds of each phase."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self._last = time.perf_counter()

    def passed(self, phase: str) -> None:
        """Gives the time since the last call to a phase."""
        now = time.perf_counter()
        self.seconds[phase] = round(self.seconds[phase] + now - self._last, 3)
        self._last = now


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
