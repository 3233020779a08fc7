"""The names in the .h5 files of keras.applications (Keras 2.15, regnet.py).

Layers bear the model's name in front (`regnetx002_Stage_0_XBlock_0_conv_3x3`), except
the classifier, which bears a running number (`1head_dense`).
"""

import re
from collections.abc import Mapping
from typing import Any

from keras_regnet.weights.scheme import Scheme


def _clean(tensors: Mapping[str, Any]) -> Mapping[str, Any]:
    found = {}
    for name, value in tensors.items():
        layer, _, leaf = name.partition("/")
        layer = re.sub(r"^\d+(?=head_dense$)", "", layer)
        layer = re.sub(r"_[XY]Block_", "_Block_", layer)
        layer = re.sub(r"^.*?(?=Stage_\d+_Block_|stem_(?:conv|bn)$)", "", layer)
        short = f"{layer}/{leaf}"
        found[name if short in found else short] = value
    return found


KERAS_APPLICATIONS = Scheme(
    name="keras_applications",
    stem={"conv": "stem_conv", "bn": "stem_bn"},
    block="Stage_{stage_from_0}_Block_{block_from_0}_",
    units={
        "conv1/conv": "conv_1x1_1",
        "conv1/bn": "conv_1x1_1_bn",
        "conv2/conv": "conv_3x3",
        "conv2/bn": "conv_3x3_bn",
        "se/fc1": "squeeze_and_excite_squeeze",
        "se/fc2": "squeeze_and_excite_excite",
        "conv3/conv": "conv_1x1_2",
        "conv3/bn": "conv_1x1_2_bn",
        "downsample/conv": "skip_1x1",
        "downsample/bn": "skip_bn",
    },
    head="head_dense",
    leaves={
        name: name
        for name in (
            "kernel",
            "bias",
            "gamma",
            "beta",
            "moving_mean",
            "moving_variance",
        )
    },
    separator="/",
    torch_layout=False,
    padding="same",
    marks=(r"stem_conv/kernel$", r"Stage_0_(?:[XY])?Block_0_conv_3x3/kernel$"),
    clean=_clean,
)
