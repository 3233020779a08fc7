"""One line of the catalogue: a published set of weights with its provenance."""

import dataclasses

from keras_regnet.architecture.variants import TWIN_SUFFIX
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.text_table import text_table

RESTRICTED_LICENCES = ("cc-by-nc-4.0", "seer-license")
"""Licences with conditions on the use; `accept_license=True` is asked for."""


@dataclasses.dataclass(frozen=True)
class WeightSet:
    """A published set of weights.

    Attributes:
        name: What `weights=` takes, for example `"timm/regnety_032.ra_in1k"`.
        source: `"timm"`, `"torchvision"`, `"pycls"` or `"keras_applications"`: whose
            names and layouts the file has.
        tag: The part of the name that says how it was trained: `"ra_in1k"`.
        architecture: The canonical name of the network. Where it ends in
            `-torchvision` the widths are rounded by torchvision's rule.
        url: Where the file is.
        sha256: The file's digest, the first digits of it, or None where the source
            publishes none.
        hub_id: The model on the Hugging Face hub, or None.
        classes: Outputs of the classifier; 0 where the file has none.
        recipe: How it was trained.
        licence: Its SPDX name, or the name that the publisher uses.
        preprocessing: What the published accuracy was measured with.
        top1: Published accuracy on ImageNet's validation images in percent, at
            `preprocessing.image_size`; None where none is published.
        top5: Likewise.
        channel_order: The order of the channels that the *file's* first convolution
            takes. Conversion turns `"bgr"` round, so that the network takes RGB.
        padding: Of the strided convolutions: `"symmetric"`, or `"same"` for the graph
            of keras.applications.
    """

    name: str
    source: str
    tag: str
    architecture: str
    url: str
    sha256: str | None
    hub_id: str | None
    classes: int
    recipe: str
    licence: str
    preprocessing: PreprocessingSpec
    top1: float | None = None
    top5: float | None = None
    channel_order: str = "rgb"
    padding: str = "symmetric"

    @property
    def file_name(self) -> str:
        """A name for the file in a cache folder that all sources share."""
        if self.hub_id:
            return f"{self.hub_id.rpartition('/')[2]}.safetensors"
        return self.url.rpartition("/")[2]

    @property
    def rounding(self) -> str:
        """The rounding rule that the network's widths need."""
        twin = self.architecture.endswith(TWIN_SUFFIX)
        return "torchvision" if twin else "pycls"

    @property
    def permissive(self) -> bool:
        """Whether the licence lets everybody use them for anything."""
        return self.licence not in RESTRICTED_LICENCES


class WeightTable(tuple[WeightSet, ...]):
    """Weight sets; `print` it to read it as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        head = ("weights", "network", "pixels", "top-1", "top-5", "classes", "licence")
        rows = [
            (
                each.name,
                each.architecture,
                str(each.preprocessing.image_size),
                _percent(each.top1),
                _percent(each.top5),
                str(each.classes),
                each.licence,
            )
            for each in self
        ]
        return text_table(head, rows, numbers=range(2, 6))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
