"""torchvision's weights (torchvision 0.28, models/regnet.py)."""

from keras_regnet.architecture import canonical_name
from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights.weight_set import WeightSet

_URL = "https://download.pytorch.org/models/{}-{}.pth"

_V1, _V2 = "IMAGENET1K_V1", "IMAGENET1K_V2"
_END_TO_END, _LINEAR = "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1"

# tag: (suffix of the file's name, licence, recipe, preprocessing)
_TAGS = {
    _V1: (
        "",
        "bsd-3-clause",
        "a simple recipe, close to the paper's",
        PreprocessingSpec(224, 256, "bilinear"),
    ),
    _V2: (
        "",
        "bsd-3-clause",
        "torchvision's new recipe (github.com/pytorch/vision/issues/3995)",
        PreprocessingSpec(224, 232, "bilinear"),
    ),
    _END_TO_END: (
        "_swag",
        "cc-by-nc-4.0",
        "SWAG (arXiv 2201.08371), fine-tuned on ImageNet-1k at 384 pixels",
        PreprocessingSpec(384, 384, "bicubic"),
    ),
    _LINEAR: (
        "_lc_swag",
        "cc-by-nc-4.0",
        "SWAG (arXiv 2201.08371), frozen, linear classifier of ImageNet-1k",
        PreprocessingSpec(224, 224, "bicubic"),
    ),
}

# (name, tag): (first digits of the SHA-256, top-1, top-5)
_FILES = {
    ("regnet_y_400mf", _V1): ("c65dace8", 74.046, 91.716),
    ("regnet_y_400mf", _V2): ("e6988f5f", 75.804, 92.742),
    ("regnet_y_800mf", _V1): ("1b27b58c", 76.420, 93.136),
    ("regnet_y_800mf", _V2): ("58fc7688", 78.828, 94.502),
    ("regnet_y_1_6gf", _V1): ("b11a554e", 77.950, 93.966),
    ("regnet_y_1_6gf", _V2): ("0d7bc02a", 80.876, 95.444),
    ("regnet_y_3_2gf", _V1): ("b5a9779c", 78.948, 94.576),
    ("regnet_y_3_2gf", _V2): ("9180c971", 81.982, 95.972),
    ("regnet_y_8gf", _V1): ("d0d0e4a8", 80.032, 95.048),
    ("regnet_y_8gf", _V2): ("dc2b1b54", 82.828, 96.330),
    ("regnet_y_16gf", _V1): ("9e6ed7dd", 80.424, 95.240),
    ("regnet_y_16gf", _V2): ("3e4a00f9", 82.886, 96.328),
    ("regnet_y_16gf", _END_TO_END): ("43afe44d", 86.012, 98.054),
    ("regnet_y_16gf", _LINEAR): ("f3ec0043", 83.976, 97.244),
    ("regnet_y_32gf", _V1): ("4dee3f7a", 80.878, 95.340),
    ("regnet_y_32gf", _V2): ("8db6d4b5", 83.368, 96.498),
    ("regnet_y_32gf", _END_TO_END): ("04fdfa75", 86.838, 98.362),
    ("regnet_y_32gf", _LINEAR): ("e1583746", 84.622, 97.480),
    ("regnet_y_128gf", _END_TO_END): ("c8ce3e52", 88.228, 98.682),
    ("regnet_y_128gf", _LINEAR): ("cbe8ce12", 86.068, 97.844),
    ("regnet_x_400mf", _V1): ("adf1edd5", 72.834, 90.950),
    ("regnet_x_400mf", _V2): ("62229a5f", 74.864, 92.322),
    ("regnet_x_800mf", _V1): ("ad17e45c", 75.212, 92.348),
    ("regnet_x_800mf", _V2): ("94a99ebd", 77.522, 93.826),
    ("regnet_x_1_6gf", _V1): ("e3633e7f", 77.040, 93.440),
    ("regnet_x_1_6gf", _V2): ("a12f2b72", 79.668, 94.922),
    ("regnet_x_3_2gf", _V1): ("f342aeae", 78.364, 93.992),
    ("regnet_x_3_2gf", _V2): ("7071aa85", 81.196, 95.430),
    ("regnet_x_8gf", _V1): ("03ceed89", 79.344, 94.686),
    ("regnet_x_8gf", _V2): ("2b70d774", 81.682, 95.678),
    ("regnet_x_16gf", _V1): ("2007eb11", 80.058, 94.944),
    ("regnet_x_16gf", _V2): ("ba3796d7", 82.716, 96.196),
    ("regnet_x_32gf", _V1): ("9d47f8d0", 80.622, 95.248),
    ("regnet_x_32gf", _V2): ("6eb8fdc6", 83.014, 96.288),
}


def sets() -> tuple[WeightSet, ...]:
    """The weights of torchvision's 15 networks; three are twins of the paper's."""
    found = []
    for (name, tag), (digits, top1, top5) in _FILES.items():
        suffix, licence, recipe, preprocessing = _TAGS[tag]
        found.append(
            WeightSet(
                name=f"torchvision/{name}.{tag}",
                source="torchvision",
                tag=tag,
                architecture=canonical_name(name),
                url=_URL.format(name + suffix, digits),
                sha256=digits,
                hub_id=None,
                classes=1000,
                recipe=recipe,
                licence=licence,
                preprocessing=preprocessing,
                top1=top1,
                top5=top5,
            )
        )
    return tuple(found)
