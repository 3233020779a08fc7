"""timm's weights on the Hugging Face hub.

Tags, licences and preprocessing: timm 1.0.31, models/regnet.py. Accuracies: the model
cards of timm/regnet*. Digests: the pages of the files on the hub; the others were not
to be had without downloading. Not here, since they are other architectures: regnetv,
regnetz and regnety_040_sgn.
"""

import dataclasses

from keras_regnet.architecture import canonical_name
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights.weight_set import WeightSet


@dataclasses.dataclass(frozen=True)
class _Tag:
    """What the sets of one tag have in common."""

    recipe: str
    licence: str
    crop_fraction: float
    image_size: int = 224
    classes: int = 1000


_SWAG = "SWAG (arXiv 2201.08371)"
_SEER = "SEER (arXiv 2202.08360): self-supervised on a billion images"
_TAGS = {
    "pycls_in1k": _Tag("the paper's, from pycls", "mit", 0.875),
    "tv2_in1k": _Tag("torchvision's new recipe (V2)", "bsd-3-clause", 0.965),
    "ra_in1k": _Tag("timm's, with RandAugment", "apache-2.0", 0.95),
    "ra3_in1k": _Tag("timm's third with RandAugment", "apache-2.0", 0.95),
    "deit_in1k": _Tag("DeiT's, for its teacher", "apache-2.0", 0.95),
    "sw_in12k": _Tag("timm's, on ImageNet-12k", "apache-2.0", 0.95, classes=11821),
    "sw_in12k_ft_in1k": _Tag(
        "timm's, on ImageNet-12k, fine-tuned on ImageNet-1k", "apache-2.0", 0.95
    ),
    "lion_in12k_ft_in1k": _Tag(
        "timm's with Lion, on ImageNet-12k, fine-tuned on ImageNet-1k",
        "apache-2.0",
        0.95,
    ),
    "swag_ft_in1k": _Tag(f"{_SWAG}, fine-tuned", "cc-by-nc-4.0", 1.0, 384),
    "swag_lc_in1k": _Tag(f"{_SWAG}, linear classifier", "cc-by-nc-4.0", 0.965),
    "seer_ft_in1k": _Tag(f"{_SEER}, fine-tuned", "seer-license", 1.0, 384),
    "seer": _Tag(_SEER, "seer-license", 0.965, classes=0),
}

# network.tag: top-1, top-5, at the image size of the tag
_RESULTS = {
    "regnetx_002.pycls_in1k": (68.752, 88.556),
    "regnetx_004.pycls_in1k": (72.38, 90.832),
    "regnetx_006.pycls_in1k": (73.862, 91.67),
    "regnetx_008.pycls_in1k": (75.042, 92.342),
    "regnetx_016.pycls_in1k": (76.908, 93.418),
    "regnetx_032.pycls_in1k": (78.178, 94.08),
    "regnetx_040.pycls_in1k": (78.482, 94.24),
    "regnetx_064.pycls_in1k": (79.064, 94.454),
    "regnetx_080.pycls_in1k": (79.198, 94.55),
    "regnetx_120.pycls_in1k": (79.592, 94.738),
    "regnetx_160.pycls_in1k": (79.862, 94.828),
    "regnetx_320.pycls_in1k": (80.246, 95.01),
    "regnety_002.pycls_in1k": (70.282, 89.534),
    "regnety_004.pycls_in1k": (74.018, 91.764),
    "regnety_006.pycls_in1k": (75.244, 92.518),
    "regnety_008.pycls_in1k": (76.296, 93.05),
    "regnety_016.pycls_in1k": (77.862, 93.73),
    "regnety_032.pycls_in1k": (78.884, 94.412),
    "regnety_040.pycls_in1k": (79.23, 94.654),
    "regnety_064.pycls_in1k": (79.716, 94.772),
    "regnety_080.pycls_in1k": (79.882, 94.834),
    "regnety_120.pycls_in1k": (80.37, 95.12),
    "regnety_160.pycls_in1k": (80.288, 94.964),
    "regnety_320.pycls_in1k": (80.804, 95.246),
    "regnetx_004_tv.tv2_in1k": (74.57, 92.184),
    "regnetx_008.tv2_in1k": (77.302, 93.672),
    "regnetx_016.tv2_in1k": (79.44, 94.772),
    "regnetx_032.tv2_in1k": (80.924, 95.27),
    "regnetx_080.tv2_in1k": (81.552, 95.544),
    "regnetx_160.tv2_in1k": (82.564, 96.052),
    "regnetx_320.tv2_in1k": (82.816, 96.208),
    "regnety_004.tv2_in1k": (75.592, 92.712),
    "regnety_008_tv.tv2_in1k": (78.654, 94.388),
    "regnety_016.tv2_in1k": (80.66, 95.334),
    "regnety_032.tv2_in1k": (81.77, 95.842),
    "regnety_080_tv.tv2_in1k": (82.592, 96.246),
    "regnety_160.tv2_in1k": (82.634, 96.22),
    "regnety_320.tv2_in1k": (83.162, 96.42),
    "regnety_032.ra_in1k": (81.924, 95.988),
    "regnety_040.ra3_in1k": (82.304, 96.078),
    "regnety_064.ra3_in1k": (83.02, 96.292),
    "regnety_080.ra3_in1k": (83.16, 96.486),
    "regnety_120.sw_in12k_ft_in1k": (84.976, 97.416),
    "regnety_160.sw_in12k_ft_in1k": (85.574, 97.666),
    "regnety_160.lion_in12k_ft_in1k": (85.564, 97.674),
    "regnety_120.sw_in12k": (None, None),
    "regnety_160.sw_in12k": (None, None),
    "regnety_160.deit_in1k": (82.974, 96.502),
    "regnety_160.swag_ft_in1k": (86.024, 98.05),
    "regnety_320.swag_ft_in1k": (86.84, 98.364),
    "regnety_1280.swag_ft_in1k": (88.228, 98.684),
    "regnety_160.swag_lc_in1k": (83.778, 97.286),
    "regnety_320.swag_lc_in1k": (84.56, 97.446),
    "regnety_1280.swag_lc_in1k": (85.996, 97.848),
    "regnety_320.seer_ft_in1k": (83.35, 96.71),
    "regnety_640.seer_ft_in1k": (83.912, 96.924),
    "regnety_1280.seer_ft_in1k": (84.432, 97.092),
    "regnety_2560.seer_ft_in1k": (85.15, 97.436),
    "regnety_320.seer": (None, None),
    "regnety_640.seer": (None, None),
    "regnety_1280.seer": (None, None),
}

_DIGESTS = {
    "regnetx_004_tv.tv2_in1k": (
        "9388f43ad8feaf05dcb540017fa1b2056fccefee01f74320801e937af0fcdd92"
    ),
    "regnetx_016.tv2_in1k": (
        "4374f3726981a2e6b20bee2149d1c73dcd7413cbce491d31811eb5e7febee238"
    ),
    "regnetx_160.tv2_in1k": (
        "667cbb306f675350091d8863c377c1a260d44dba7d22b4bbd3f4536d62559165"
    ),
    "regnety_008_tv.tv2_in1k": (
        "6f813b63debc3a5e0ba9f7c6ce4db5d160e0e7271d9174319bc8430b7e935572"
    ),
    "regnety_016.pycls_in1k": (
        "c638bdae5e64c4c3e59725febae1a2596cbd33cc329e43d454c6e9007929c5c0"
    ),
    "regnety_016.tv2_in1k": (
        "e75ab6d43aa025452286ce74bbb5c35b72c88c8a6d11ff6a80fcf706fd4c5fdc"
    ),
    "regnety_120.sw_in12k": (
        "f417a9bd91a6372d97f86fd733ede6881480e5bae95a05a1b75a5fab76430665"
    ),
    "regnety_160.sw_in12k": (
        "208349933904b3b67611918cddab52e74701ab04ba8144da0cdde8caad3a3b61"
    ),
    "regnety_160.tv2_in1k": (
        "e55e11e16400edcd7f2e0586e76a4e88f8155ff9861929aec7fe726f789cdc43"
    ),
    "regnety_640.seer_ft_in1k": (
        "3a8066d01a2fa8bfd29c9c41bb4bd3785869bd7d5748fe36eec9edb238ca2a8a"
    ),
    "regnety_2560.seer_ft_in1k": (
        "3a1fa4258943a04ffc111afe1e8cdb5711c101c2caaa3dd29180c45ad2e9f3f4"
    ),
}


def sets() -> tuple[WeightSet, ...]:
    """The weights of timm's regnetx and regnety networks."""
    found = []
    for name, (top1, top5) in _RESULTS.items():
        network, _, label = name.partition(".")
        tag = _TAGS[label]
        found.append(
            WeightSet(
                name=f"timm/{name}",
                source="timm",
                tag=label,
                architecture=canonical_name(network),
                url=f"https://huggingface.co/timm/{name}/resolve/main/model.safetensors",
                sha256=_DIGESTS.get(name),
                hub_id=f"timm/{name}",
                classes=tag.classes,
                recipe=tag.recipe,
                licence=tag.licence,
                preprocessing=PreprocessingSpec.of_crop_fraction(
                    tag.image_size, tag.crop_fraction, interpolation="bicubic"
                ),
                top1=top1,
                top5=top5,
            )
        )
    return tuple(found)
