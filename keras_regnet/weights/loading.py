"""Weights by name or path, read once and then filled into a model."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from keras_regnet.architecture import checks
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.preprocessing.specification import CHANNEL_ORDERS
from keras_regnet.weights import catalogue_keras, convert, readers
from keras_regnet.weights.catalogue import find
from keras_regnet.weights.download import fetch, own_folder
from keras_regnet.weights.hub import fetch_from_hub
from keras_regnet.weights.identify import architecture_of
from keras_regnet.weights.scheme import Scheme
from keras_regnet.weights.schemes import scheme_of
from keras_regnet.weights.weight_set import WeightSet


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """Weights that were read and wait for a model; `weights=` takes one.

    Attributes:
        origin: The name or path they came from.
        path: The file.
        scheme: How the file names and lays them out; None for a file of this package
            (`.weights.h5` or `.keras`).
        tensors: By the names of the file; empty for a file of this package.
        weight_set: The line of the catalogue, or None for a local file.
        channel_order: Of the images that the file's stem takes.
    """

    origin: str
    path: Path
    scheme: Scheme | None
    tensors: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    weight_set: WeightSet | None
    channel_order: str

    @property
    def architecture(self) -> str | None:
        """The canonical name of the published network they are of, or None."""
        if self.weight_set is not None:
            return self.weight_set.architecture
        return architecture_of(self.tensors, self.scheme) if self.scheme else None

    @property
    def classes(self) -> int:
        """Outputs of the classifier; 0 without one."""
        if self.scheme is None:
            return readers.own_head_classes(self.path)
        return convert.head_classes(self.tensors, self.scheme)

    @property
    def preprocessing(self) -> PreprocessingSpec | None:
        """What the weights expect of images; None where that is not known.

        A local file of torch's or timm's does not say it; ImageNet's customary values
        (256 to 224 pixels, bilinear, mean and std) are assumed. One of
        keras.applications divides by 255 and no more. A `.keras` file of this package
        says it, a `.weights.h5` does not.
        """
        if self.weight_set is not None:
            return self.weight_set.preprocessing
        if self.scheme is None:
            return readers.recorded_specification(self.path)
        if self.scheme.padding == "same":
            return catalogue_keras.PREPROCESSING
        return PreprocessingSpec(224, 256)


def read(
    weights: str | os.PathLike[str],
    *,
    architecture: str | None = None,
    source: str | None = None,
    channel_order: str | None = None,
    averaged: bool = False,
    accept_license: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Weights:
    """Reads weights, from a file or from where they are published.

    Args:
        weights: A path ending in `.safetensors`, `.pth`, `.pyth`, `.pt`, `.bin`,
            `.h5`, `.weights.h5` or `.keras`; or a name, see `list_weights`.
        architecture: The canonical name of the network, for a name that is a tag.
        source: Whose names a local file has: `"timm"`, `"torchvision"`, `"pycls"` or
            `"keras_applications"`. By default the names tell.
        channel_order: Of the images that the file's stem takes, `"rgb"` or `"bgr"`. By
            default `"bgr"` for pycls, whose FFCV loader however made it `"rgb"`.
        averaged: Whether to take the averaged weights from a torch file with both.
        accept_license: Needed for weights whose licence is not permissive.
        cache_dir: Where downloads are kept; by default Keras' own cache folder.
        progress: Whether a download shows how far it is.

    Returns:
        The weights, for `weights=` of a network or for `fill`.

    Raises:
        ValueError: There is no such set or file, it is damaged, or its licence was
            not accepted.
        ImportError: The package that reads the file is not installed.
        OSError: The download failed; the message names the URL.
    """
    if channel_order is not None:
        checks.one_of("channel_order", channel_order, CHANNEL_ORDERS)
    if not isinstance(weights, str | os.PathLike):
        raise ValueError(
            "Weights are the name of a published set or the path of a file. "
            f"Received: {weights!r}"
        )
    weight_set = None
    if readers.is_path(weights):
        path = Path(weights)
    else:
        weight_set = find(weights, architecture)
        path = _download(weight_set, accept_license, cache_dir, progress)
        source = source or weight_set.source
    origin = weight_set.name if weight_set else str(path)
    if path.name.endswith(readers.OWN_SUFFIXES):
        readers.check_file(path)
        return Weights(origin, path, None, {}, None, "rgb")
    tensors = readers.read_tensors(path, averaged)
    scheme = scheme_of(tensors, source, origin)
    order = weight_set.channel_order if weight_set else scheme.channel_order
    return Weights(
        origin,
        path,
        scheme,
        scheme.clean(tensors),
        weight_set,
        channel_order or order,
    )


def fill(
    model: keras.Model, weights: Weights, *, adapt_input_channels: bool = False
) -> None:
    """Fills a model with weights that were read.

    Args:
        model: Any model whose variables bear the paths of this package's networks.
        weights: From `read`.
        adapt_input_channels: Whether the first convolution may be made one for another
            number of channels than three: the sum over the colours for one channel,
            colours repeated and scaled otherwise, as timm does it.

    Raises:
        ConversionError: They do not fit; it lists what is left over on both sides. The
            model stays as it was.
        ValueError: A file of this package is damaged or of another network.
    """
    if weights.scheme is None:
        _load_own(model, weights.path)
        return
    _check_padding(model, weights)
    try:
        convert.fill(
            model.weights,
            weights.tensors,
            weights.scheme,
            origin=weights.origin,
            channel_order=weights.channel_order,
            adapt_input_channels=adapt_input_channels,
        )
    except convert.ConversionError as error:
        name = architecture_of(weights.tensors, weights.scheme)
        if name is None or not error.unfilled:
            raise
        raise convert.ConversionError(
            f"These weights are of {name}. {error}",
            error.unused,
            error.unfilled,
            error.faulty,
        ) from error


def load_weights(
    model: keras.Model,
    weights: str | os.PathLike[str] | Weights,
    *,
    adapt_input_channels: bool = False,
    **options: object,
) -> None:
    """Reads weights and fills a model with them.

    Args:
        model: As in `fill`.
        weights: As in `read`, or what it returned.
        adapt_input_channels: As in `fill`.
        **options: The further arguments of `read`.

    Raises:
        ValueError: As `read` and `fill`.
    """
    if not isinstance(weights, Weights):
        weights = read(weights, **options)
    fill(model, weights, adapt_input_channels=adapt_input_channels)


def _download(
    weight_set: WeightSet,
    accept_license: bool,
    cache_dir: str | os.PathLike[str] | None,
    progress: bool,
) -> Path:
    if not weight_set.permissive and not accept_license:
        raise ValueError(
            f"{weight_set.name} is under the licence {weight_set.licence}, which is "
            "not a permissive one; whoever accepts it says accept_license=True. "
            f"Received: accept_license={accept_license!r}"
        )
    readers.check_reader(weight_set.file_name)
    common = {"sha256": weight_set.sha256, "progress": progress}
    if weight_set.hub_id:
        return fetch_from_hub(
            weight_set.hub_id, "model.safetensors", cache_dir=cache_dir, **common
        )
    if cache_dir is None and weight_set.sha256 is None:
        cache_dir = own_folder(weight_set.source)
    return fetch(
        weight_set.url,
        file_name=weight_set.file_name,
        cache_dir=cache_dir,
        **common,
    )


def _check_padding(model: keras.Model, weights: Weights) -> None:
    """Weights of keras.applications go with its graph, others with the right one."""
    try:
        padding = model.get_layer("stem").padding
    except (ValueError, AttributeError):
        return
    wanted = weights.scheme.padding
    if padding != wanted:
        raise ValueError(
            f"These weights belong to a network with padding={wanted!r}: build it so. "
            f"Received: {weights.origin} for a network with padding={padding!r}"
        )


def _load_own(model: keras.Model, path: Path) -> None:
    before = model.get_weights()
    try:
        try:
            model.load_weights(path)
        except ValueError:
            # As in other files the classifier may be another one, and nothing else.
            head = next((x for x in model.layers if x.name == "head_fc"), None)
            if head is None:
                raise
            model.set_weights(before)
            keras.Model(model.inputs, head.input).load_weights(path)
            convert.warn_of_new_head(readers.own_head_classes(path), head.units)
        for variable in model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                raise ValueError(f"{variable.path} has values that are not finite.")
    except Exception as error:
        model.set_weights(before)
        if not isinstance(error, ValueError | KeyError | OSError | BadZipFile):
            raise
        raise ValueError(
            f"The weights are damaged or of another network than {model.name}: "
            f"{error} Received: weights={str(path)!r}"
        ) from error
