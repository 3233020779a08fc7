"""A folder of published models as one page, from their metadata alone."""

from pathlib import Path

from keras_regnet.publishing import card
from keras_regnet.publishing.metadata import Metadata
from keras_regnet.publishing.reading import (
    MODEL_FILE,
    find_published,
    list_published,
)

_INTRODUCTION = """# Published models

{table}

Megabytes are of the SavedModel with its variables, and of the Keras file. Accuracies \
are those of the published numbers, in float32. What each was trained on, by which \
command, and how long it took, is in its card; `SHA256SUMS` beside it has the checksums.

```python
import keras_regnet

keras_regnet.list_published("{folder}")
model = keras_regnet.load_published("{folder}/{name}", include_top=True)
backbone = keras_regnet.load_published("{folder}/{name}")   # features, to be fine-tuned
layer = keras_regnet.layers.SavedModelBackbone("{folder}/{name}/{version}")
```

In a checkout the name alone will do: `load_published("{name}")`. For plain \
TensorFlow, Keras' `TFSMLayer` and the command line see the cards. Fine-tuning, \
prediction, and other formats:

```bash
python scripts/finetune.py --source={name} --dataset=digits --run_dir=runs/mine
python scripts/predict.py --model={name} picture.png
python scripts/export.py --model={name} --formats=onnx,litert --output_dir=exported
```
"""


def catalogue(folder: Path) -> str:
    """The page: Markdown with a table of all models, and how to load them.

    Args:
        folder: Of published models; at least one.

    Raises:
        ValueError: There is none.
    """
    models = list_published(folder, verbose=False)
    if not models:
        raise ValueError(f"There are no published models. Received: {folder}")
    return _INTRODUCTION.format(
        table=_table(folder, models),
        folder=folder.name,
        name=models[0].name,
        version=models[0].version,
    )


def _table(folder: Path, models: list[Metadata]) -> str:
    header = ["name", "task", "top-1", "judged on", "image", "parameters"]
    header += ["multiply-adds", "SavedModel, Keras file (MB)", "hours", "licence"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for known in models:
        path = find_published(known.name, folder)
        top1 = known.metrics.get("top1")
        hours = known.training.get("hours")
        keras_file = (path / MODEL_FILE).stat().st_size
        cells = [
            f"[{known.name}]({known.name}/{known.version}/{card.FILE})",
            known.task,
            "" if top1 is None else f"{100 * top1:.2f} %",
            known.metrics.get("judged_on", ""),
            "x".join(map(str, known.shape)),
            f"{known.parameters:,}",
            f"{known.multiply_adds / 1e6:,.1f} M",
            f"{_megabytes(path):.1f}, {keras_file / 1e6:.1f}",
            "" if hours is None else f"{hours:g}",
            known.licence,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _megabytes(path: Path) -> float:
    """The SavedModel's size."""
    files = [path / "saved_model.pb", *(path / "variables").iterdir()]
    return sum(file.stat().st_size for file in files) / 1e6
