"""timm's names (timm 1.0.31, models/regnet.py)."""

from keras_regnet.weights.scheme import Scheme

TIMM = Scheme(
    name="timm",
    stem={"conv": "stem.conv", "bn": "stem.bn"},
    block="s{stage}.b{block}.",
    units={
        "conv1/conv": "conv1.conv",
        "conv1/bn": "conv1.bn",
        "conv2/conv": "conv2.conv",
        "conv2/bn": "conv2.bn",
        "se/fc1": "se.fc1",
        "se/fc2": "se.fc2",
        "conv3/conv": "conv3.conv",
        "conv3/bn": "conv3.bn",
        "downsample/conv": "downsample.conv",
        "downsample/bn": "downsample.bn",
    },
    head="head.fc",
    marks=(r"^stem\.conv\.", r"^s1\.b1\.conv1\.conv\."),
)
