"""torchvision's names (torchvision 0.28, models/regnet.py)."""

from keras_regnet.weights.scheme import Scheme

TORCHVISION = Scheme(
    name="torchvision",
    stem={"conv": "stem.0", "bn": "stem.1"},
    block="trunk_output.block{stage}.block{stage}-{block_from_0}.",
    units={
        "conv1/conv": "f.a.0",
        "conv1/bn": "f.a.1",
        "conv2/conv": "f.b.0",
        "conv2/bn": "f.b.1",
        "se/fc1": "f.se.fc1",
        "se/fc2": "f.se.fc2",
        "conv3/conv": "f.c.0",
        "conv3/bn": "f.c.1",
        "downsample/conv": "proj.0",
        "downsample/bn": "proj.1",
    },
    head="fc",
    marks=(r"^stem\.0\.", r"^trunk_output\."),
)
