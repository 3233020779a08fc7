"""The model card: what a published model is, and how to use it, for people."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from keras_regnet.publishing.metadata import TASKS, Metadata

FILE = "model_card.md"


def model_card(known: Metadata) -> str:
    """The card of a published model as Markdown."""
    sections = [
        [
            f"# {known.name}, version {known.version}",
            "",
            known.description or _what(known),
        ],
        _facts(known),
        _training(known),
        _use(known),
        _endpoints(known),
        _limits(known),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _what(known: Metadata) -> str:
    family = {"x": "RegNetX", "y": "RegNetY"}.get(known.network.block, "AnyNet")
    task = "classifier" if known.task == TASKS[0] else "feature extractor"
    return f"A {family} {task} for images of {'x'.join(map(str, known.shape))}."


def _facts(known: Metadata) -> list[str]:
    network = known.network
    rows = [
        ("Task", known.task),
        ("Image", "x".join(map(str, known.shape)) + " (height, width, channels)"),
        ("Preprocessing", _preprocessing(known)),
        ("Depths", ", ".join(map(str, network.depths))),
        ("Widths", ", ".join(map(str, network.widths))),
        ("Group width", _distinct(stage.group_width for stage in network.stages)),
        ("Parameters", f"{known.parameters:,}"),
        ("Multiply-adds", f"{known.multiply_adds / 1e6:,.1f} million for one image"),
        *((_title(key), _value(key, value)) for key, value in known.metrics.items()),
        ("Licence", known.licence),
        ("Made with", ", ".join(f"{k} {v}" for k, v in known.versions.items())),
        ("Published", known.created),
    ]
    if known.class_names:
        names = ", ".join(known.class_names[:12])
        more = len(known.class_names) - 12
        if more > 0:
            names += f" and {more} more (metadata.json)"
        rows.insert(3, ("Classes", names))
    lines = ["## What it is", "", "| | |", "|---|---|"]
    return lines + [f"| {name} | {value} |" for name, value in rows]


def _distinct(values: Iterable[int]) -> str:
    """One number where all are the same."""
    values = list(values)
    return ", ".join(map(str, values if len(set(values)) > 1 else values[:1]))


def _preprocessing(known: Metadata) -> str:
    image = known.image
    size = f"{image['height']}x{image['width']}"
    kind = {
        "whole": f"the whole image resized to {size}",
        "centre_crop": f"the middle {size}, {image['crop_fraction']:g} of the shorter "
        "side",
        "specification": f"the middle {size} after resizing",
    }[image["kind"]]
    inside = known.arguments.get("include_preprocessing", False)
    if not inside and not image["normalized"]:
        return kind
    own = known.arguments.get("preprocessing")
    found = own if inside else image["specification"]
    mean, std = (", ".join(f"{x:g}" for x in found[key]) for key in ("mean", "std"))
    turned = ", channels in the order BGR" if found["channel_order"] == "bgr" else ""
    where = "inside the model" if inside else "before the model"
    return f"{kind}; then (pixels / 255 - {mean}) / {std}{turned}, {where}"


def _training(known: Metadata) -> list[str]:
    if not known.training:
        return []
    facts = dict(known.training)
    command = facts.pop("command", None)
    lines = ["## How it was trained", "", "| | |", "|---|---|"]
    lines += [
        f"| {_title(key)} | {_value(key, value)} |" for key, value in facts.items()
    ]
    if command:
        lines += ["", "```bash", command, "```"]
    return lines


_USE = """## How to use it

`PATH` is the folder of this file; a batch is `images`, `(n, {height}, {width}, \
{channels})`, pixels of 0 to 255.

1. As a Keras model, with this package, checked against the checksums:

   ```python
   import keras_regnet
   model = keras_regnet.load_published(PATH, include_top={top})
   backbone = keras_regnet.load_published(PATH)     # features, to be fine-tuned
   ```
2. As a layer around the SavedModel, in plain Keras, with {range}:

   ```python
   # Both endpoints "serve_features": batch normalisation keeps its statistics.
   layer = keras.layers.TFSMLayer(
       PATH, call_endpoint="serve_features", call_training_endpoint="train_features")
   image = keras.Input(({height}, {width}, {channels}))
   model = keras.Model(image, keras.layers.Dense(5)(layer(image)))
   ```
3. With TensorFlow alone, by the interface of TensorFlow Hub, with images of 0 to 1:

   ```python
   loaded = tf.saved_model.load(PATH)
   outputs = loaded(images / 255, training=False)   # {outputs}
   features = loaded.feature_vector(images / 255)
   loaded.trainable_variables                       # for a training loop of yours
   ```
4. With TensorFlow's command line (or TensorFlow Serving, whose layout this is), with \
image files as they are:

   ```bash
   python -c "import numpy as np; np.save('files.npy', \\
       np.array([open('picture.jpg', 'rb').read()], object))"
   saved_model_cli run --dir PATH --tag_set serve --signature_def serving_default \\
       --inputs image_bytes=files.npy
   ```
5. As a Keras file: `import keras_regnet`, then \
`keras.saving.load_model("PATH/model.keras")`. To ONNX and LiteRT: \
`scripts/export.py --model=PATH --formats=onnx,litert`."""


def _use(known: Metadata) -> list[str]:
    height, width, channels = known.shape
    top = known.task == TASKS[0]
    values = {
        "height": height,
        "width": width,
        "channels": channels,
        "top": top,
        "range": _range(known),
        "outputs": "logits" if top else "features",
    }
    return [_USE.format(**values)]


def _range(known: Metadata) -> str:
    return (
        "scaled and normalised" if known.image["normalized"] else "pixels of 0 to 255"
    )


_ENDPOINTS = """## Endpoints

| | takes | gives | kernels |
|---|---|---|---|
| `serve`, `train` | {range} | what the Keras model gives | portable |
| `serve_features`, `train_features` | the same | pooled features | portable |
| the four with `native_` in front | the same | the same | native |
| call | images of 0 to 1 | {outputs} | portable |
| `feature_vector` | images of 0 to 1 | pooled features | portable |
| signature `serving_default` | `image_bytes`: image files | {answer} | portable |
| signature `serve_pixels` | `images`: uint8, of any one size | the same | portable |
| signature `serve` | `images`: {range} | the same | portable |
| `fast_serving`, `fast_serve_pixels`, `fast_serve` | the same | the same | native |

Both kernels run and train wherever TensorFlow runs. The native ones are faster on a \
GPU, and for single images where TensorFlow has oneDNN. {fast}"""

_FAST = """The `fast_` signatures have the batch normalisation folded into the \
convolutions, narrow groups merged to 16 channels, and the weights as constants: \
training the SavedModel does not change them."""
_FAST_OF_LARGE = "The `fast_` signatures have the weights of the others, too."


def _endpoints(known: Metadata) -> list[str]:
    top = known.task == TASKS[0]
    lines = [
        _ENDPOINTS.format(
            range=_range(known),
            outputs="logits" if top else "features",
            fast=_FAST if known.has_constants else _FAST_OF_LARGE,
            answer=_answers(known) if top else "`features`",
        )
    ]
    if known.speed:
        lines += ["", f"Milliseconds per image on {known.speed['machine']}:", ""]
        batches: Mapping[str, Mapping[str, Any]] = known.speed["batches"]
        names = list(next(iter(batches.values())))
        lines.append("| batch | " + " | ".join(names) + " |")
        lines.append("|---" * (len(names) + 1) + "|")
        for size, times in batches.items():
            lines.append(
                f"| {size} | " + " | ".join(f"{times[name]:g}" for name in names) + " |"
            )
    return lines


def _answers(known: Metadata) -> str:
    activation = known.arguments.get("classifier_activation")
    shares = activation in (None, "linear", "softmax", "sigmoid")
    return f"`{'probabilities' if shares else 'scores'}`, `logits`"


def _limits(known: Metadata) -> list[str]:
    height, width, _ = known.shape
    lines = [
        "## Limits",
        "",
        f"- It was judged on images of {height}x{width} like those it was trained on, "
        "and says nothing about others. It answers with one of its classes, whatever "
        "the image shows."
        if known.task == TASKS[0]
        else f"- Its features were learnt on images of {height}x{width}.",
        "- `SHA256SUMS` has the checksums of all files: `sha256sum -c SHA256SUMS`.",
        "- A SavedModel is a program: load it where you trust its maker. "
        "`load_published` reads the numbers of `model.keras` alone.",
    ]
    return lines


_ACCURACIES = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}


def _title(key: str) -> str:
    return _ACCURACIES.get(key, key.replace("_", " ").capitalize())


def _value(key: str, value: Any) -> str:
    if key in _ACCURACIES:
        return f"{100 * value:.2f} %"
    if isinstance(value, int) and not isinstance(value, bool) and key != "seed":
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
