"""The zoo of the paper's authors (pycls, MODEL_ZOO.md and dev/model_error.json)."""

from keras_regnet.preprocessing import PreprocessingSpec
from keras_regnet.weights.weight_set import WeightSet

_URL = "https://dl.fbaipublicfiles.com/pycls/dds_baselines/{}/{}_dds_8gpu.pyth"

# name: (top-1 error, top-5 error, number in the zoo)
_ZOO = {
    "RegNetX-200MF": (31.088, 11.342, 160905981),
    "RegNetX-400MF": (27.382, 9.076, 160905967),
    "RegNetX-600MF": (25.864, 8.198, 160906442),
    "RegNetX-800MF": (24.846, 7.592, 160906036),
    "RegNetX-1.6GF": (23.038, 6.484, 160990626),
    "RegNetX-3.2GF": (21.736, 5.862, 160906139),
    "RegNetX-4.0GF": (21.356, 5.736, 160906383),
    "RegNetX-6.4GF": (20.844, 5.434, 161116590),
    "RegNetX-8.0GF": (20.728, 5.42, 161107726),
    "RegNetX-12GF": (20.288, 5.284, 160906020),
    "RegNetX-16GF": (19.956, 5.022, 158460855),
    "RegNetX-32GF": (19.498, 4.878, 158188473),
    "RegNetY-200MF": (29.658, 10.378, 176245422),
    "RegNetY-400MF": (25.898, 8.07, 160906449),
    "RegNetY-600MF": (24.54, 7.28, 160981443),
    "RegNetY-800MF": (23.684, 6.846, 160906567),
    "RegNetY-1.6GF": (22.066, 6.134, 160906681),
    "RegNetY-3.2GF": (21.074, 5.454, 160906834),
    "RegNetY-4.0GF": (20.64, 5.336, 160906838),
    "RegNetY-6.4GF": (20.11, 5.1, 160907112),
    "RegNetY-8.0GF": (20.052, 5.06, 161160905),
    "RegNetY-12GF": (19.67, 4.856, 160907100),
    "RegNetY-16GF": (19.608, 4.944, 161303400),
    "RegNetY-32GF": (19.066, 4.568, 161277763),
}


def sets() -> tuple[WeightSet, ...]:
    """The 24 networks of the paper."""
    return tuple(
        WeightSet(
            name=f"pycls/{name}",
            source="pycls",
            tag="dds_8gpu",
            architecture=name,
            url=_URL.format(number, name),
            sha256=None,
            hub_id=None,
            classes=1000,
            recipe="the paper's: ImageNet-1k, 100 epochs, SGD, flips and crops",
            licence="mit",
            preprocessing=PreprocessingSpec(224, 256, "bilinear"),
            top1=round(100 - top1_error, 3),
            top5=round(100 - top5_error, 3),
            channel_order="bgr",
        )
        for name, (top1_error, top5_error, number) in _ZOO.items()
    )
