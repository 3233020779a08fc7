"""The names of the official code (pycls, models/anynet.py and models/blocks.py).

Its networks take their images with the channels blue, green, red, normalised with the
mean and standard deviation that belong to each colour (datasets/imagenet.py): reversing
the first kernel's input channels makes them take RGB. What was trained through pycls'
FFCV data loader takes RGB as it is; say so with `channel_order="rgb"`.
"""

from keras_regnet.weights.scheme import Scheme

PYCLS = Scheme(
    name="pycls",
    stem={"conv": "stem.conv", "bn": "stem.bn"},
    block="s{stage}.b{block}.",
    units={
        "conv1/conv": "f.a",
        "conv1/bn": "f.a_bn",
        "conv2/conv": "f.b",
        "conv2/bn": "f.b_bn",
        "se/fc1": "f.se.f_ex.0",
        "se/fc2": "f.se.f_ex.2",
        "conv3/conv": "f.c",
        "conv3/bn": "f.c_bn",
        "downsample/conv": "proj",
        "downsample/bn": "bn",
    },
    head="head.fc",
    channel_order="bgr",
    marks=(r"^stem\.conv\.", r"^s1\.b1\.f\.a\."),
)
