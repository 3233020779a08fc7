"""Converted weights beside the library that they come from, on the same images."""

import dataclasses
import importlib
from collections.abc import Callable

import keras
import numpy as np

from keras_regnet.architecture import application_name
from keras_regnet.weights.catalogue import catalogue
from keras_regnet.weights.loading import Weights


class NotVerifiable(Exception):
    """There is nothing to compare with; the message says why."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The outputs for one image, ours beside the source's.

    Attributes:
        largest: The largest magnitude among the source's outputs.
        difference: The largest difference of an output.
        same_top: Whether both have their greatest output at the same class.
    """

    largest: float
    difference: float
    same_top: bool

    @property
    def relative(self) -> float:
        """The largest difference over the largest magnitude."""
        return self.difference / self.largest if self.largest else self.difference


def compare_with_source(
    model: keras.Model, weights: Weights, images: np.ndarray
) -> list[Comparison]:
    """Runs a converted model and the source library's own with the same weights.

    Args:
        model: Made with `weights`; with or without classifier and preprocessing.
        weights: What was converted.
        images: Normalised, `(batch, height, width, 3)`, float32, the channels RGB.

    Returns:
        A row per image. Logits are compared, or the averaged last feature map where
        the weights have no classifier.

    Raises:
        NotVerifiable: The library is not installed, has no such network, or the
            model's classifier is not the file's.
    """
    runners: dict[str, Callable[[Weights, np.ndarray], np.ndarray]] = {
        "timm": _run_timm,
        "torchvision": _run_torchvision,
        "keras_applications": _run_keras_applications,
    }
    source = weights.scheme.name if weights.scheme else "keras_regnet"
    if source not in runners:
        raise NotVerifiable(f"{source} is no package that could be imported")
    names = [layer.name for layer in model.layers]
    classes = model.get_layer("head_fc").units if "head_fc" in names else 0
    if classes != weights.classes:
        raise NotVerifiable(
            f"the model has {classes} classes and the file {weights.classes}"
        )
    ours = _outputs(model, images)
    if weights.channel_order == "bgr":
        images = np.ascontiguousarray(images[..., ::-1])
    theirs = runners[source](weights, images)
    return [
        Comparison(
            float(np.abs(b).max()),
            float(np.abs(a - b).max()),
            bool(a.argmax() == b.argmax()),
        )
        for a, b in zip(ours, theirs, strict=True)
    ]


def _outputs(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Logits, or averaged features, of normalised images."""
    names = [layer.name for layer in model.layers]
    last = "head_fc" if "head_fc" in names else names[-1]
    part = keras.Model(model.get_layer("stem").input, model.get_layer(last).output)
    outputs = np.asarray(part.predict(images, verbose=0))
    return outputs.mean((1, 2)) if outputs.ndim == 4 else outputs


def _library(name: str) -> object:
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        raise NotVerifiable(f"{name} could not be imported ({error})") from error


def _network_name(weights: Weights) -> str:
    """The source's own name of the network."""
    source = weights.scheme.name
    for each in catalogue():
        if (each.source, each.architecture) == (source, weights.architecture):
            return each.name.partition("/")[2].partition(".")[0]
    raise NotVerifiable(f"{source} has no network with these weights")


def _run_torch(network: object, weights: Weights, images: np.ndarray) -> np.ndarray:
    torch = _library("torch")
    network.load_state_dict(
        {
            key: torch.from_numpy(np.array(weights.tensors[key]))
            for key in weights.tensors
        }
    )
    with torch.no_grad():
        inputs = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        return network.eval()(inputs).numpy()


def _run_timm(weights: Weights, images: np.ndarray) -> np.ndarray:
    timm = _library("timm")
    network = timm.create_model(
        _network_name(weights), pretrained=False, num_classes=weights.classes
    )
    return _run_torch(network, weights, images)


def _run_torchvision(weights: Weights, images: np.ndarray) -> np.ndarray:
    models = _library("torchvision.models")
    network = getattr(models, _network_name(weights))(num_classes=weights.classes)
    return _run_torch(network, weights, images)


def _run_keras_applications(weights: Weights, images: np.ndarray) -> np.ndarray:
    regnet = _library("tf_keras.applications.regnet")
    network = getattr(regnet, application_name(weights.architecture))(
        weights=None,
        include_top=bool(weights.classes),
        include_preprocessing=False,
        input_shape=images.shape[1:],
        pooling="avg",
        classes=weights.classes or 1000,
    )
    network.load_weights(weights.path)
    return network.predict(images, verbose=0)
