"""How much memory a training step needs on each device, from the numbers alone."""

import dataclasses

from keras_regnet.architecture import AnyNetParameters, RegNetParameters, complexity
from keras_regnet.training.config import TrainingConfig

# The output of every convolution is needed again going backward, and so is what the
# activation made of it; a gradient of either comes and goes.
ARRAYS_PER_OUTPUT = 3
_SLOTS = {"sgd": 1, "rmsprop": 2, "adamw": 2, "lamb": 2}
_PREFETCHED = 2  # batches of images that wait on a device


@dataclasses.dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one device, by what they are for.

    Attributes:
        weights: Variables of the network, statistics of normalisations among them, and
            their copies of half the size in mixed precision.
        gradients: One for each trainable variable; two with accumulation.
        optimizer: Momentum and the like.
        average: The moving average of the weights.
        activations: What is kept of the images on their way forward.
        images: The batch, and those that are ready.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    images: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(dataclasses.astuple(self))


def estimate_memory(
    parameters: RegNetParameters | AnyNetParameters,
    config: TrainingConfig,
    *,
    images: int,
    image_shape: tuple[int, int, int],
    classes: int,
    precision: str = "float32",
) -> MemoryEstimate:
    """Estimates the memory of a training step on one device.

    Activations are three arrays for every output of a convolution. Peaks of resident
    memory on a CPU, above the 0.8 GB that TensorFlow takes by itself, were 8 % below to
    25 % above the estimate in float32, and 2 % below to 57 % above it in
    mixed_bfloat16, the more the smaller the network and the batch (RegNetX-200MF,
    RegNetY-400MF and RegNetX-3.2GF at 224 x 224, 8 to 64 images, SGD). On a GPU it was
    not measured; the working memory of its libraries comes on top.

    Args:
        parameters: The network.
        config: The training: its optimizer, average and accumulation.
        images: Images that the device has of a batch.
        image_shape: (height, width, channels).
        classes: Number of classes.
        precision: A Keras dtype policy.

    Returns:
        The estimate.
    """
    height, width, channels = image_shape
    counts = complexity(parameters, (height, width), channels, classes)
    variable = 8 if precision == "float64" else 4
    computed = 2 if precision.startswith("mixed") else variable
    half = computed * counts.parameters if computed < variable else 0
    slots = _SLOTS[config.optimizer]
    if config.momentum == 0 and config.optimizer in ("sgd", "rmsprop"):
        slots -= 1
    at_once = -(-images // config.accumulation)
    gradients = 2 if config.accumulation > 1 else 1
    return MemoryEstimate(
        weights=variable * counts.total_parameters + half,
        gradients=gradients * variable * counts.parameters,
        optimizer=slots * variable * counts.parameters,
        average=variable * counts.total_parameters if config.ema_decay else 0,
        activations=computed * ARRAYS_PER_OUTPUT * counts.activations * at_once,
        images=4 * (1 + _PREFETCHED) * images * height * width * channels,
    )
