"""A published SavedModel's signatures, beside eager torch."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import keras_regnet
from keras_regnet.benchmarks import keras_cases, torch_cases
from keras_regnet.benchmarks.alternation import Builder, Case, alternate
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.settings import Setting

_SIGNATURES = {
    "keras_regnet, signature fast_serve": "fast_serve",
    "keras_regnet, signature serve (portable)": "serve",
}


def saved_models(
    settings: Sequence[Setting],
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
) -> Iterator[Comparison]:
    """Seconds to the logits of one batch.

    Args:
        settings: Of one network; several batch sizes.
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch, in both layouts.
        absent: Peers that are known not to be there, and why.
    """
    from keras_regnet.publishing import publish

    with tempfile.TemporaryDirectory() as folder:
        setting = settings[0]
        model = keras_regnet.RegNet(
            setting.network,
            input_shape=(setting.image_size, setting.image_size, 3),
            classes=setting.classes,
            include_preprocessing=True,
        )
        # As after training: where nothing is to be added, nothing can be fused with it.
        random = np.random.RandomState(0)
        for weight in model.weights:
            if weight.name in ("beta", "moving_mean"):
                weight.assign(0.1 * random.normal(size=weight.shape))
        path = publish(model, folder, measure_speed=False)
        del model
        keras_cases.free()
        for setting in settings:
            builders: dict[str, Builder] = {
                name: partial(_case, setting, path, signature)
                for name, signature in _SIGNATURES.items()
            }
            columns: dict[str, list[str]] = {}
            if "timm" in peers:
                columns["eager torch"] = []
                for layout in torch_cases.LAYOUTS:
                    name = f"timm, {layout}"
                    builders[name] = partial(torch_cases.inference, setting, layout)
                    columns["eager torch"].append(name)
            try:
                yield alternate(
                    f"SavedModel, {setting}",
                    builders,
                    columns,
                    rounds,
                    absent=absent,
                    setting={
                        **setting.fields("saved_model"),
                        "images": setting.batch_size,
                    },
                )
            finally:
                if columns:
                    torch_cases.free()


def _case(setting: Setting, path: Path, signature: str) -> Case:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[signature]
    images = tf.constant(setting.batch()[0])

    # The loaded object must live as long as its functions.
    def call(_: object = loaded) -> object:
        return function(images=images)["logits"].numpy()

    return keras_cases.repeated(call, setting.inference_steps)
