"""How the study was made: regime, data, sampling, software, processors."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from keras_regnet.design_space.records import Record
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.training.report.html import element, section, table
from keras_regnet.training.report.settings import flat
from keras_regnet.training.report.wording import duration, setting

_TIMES = "\N{MULTIPLICATION SIGN}"


def regime_words(regime: Regime, data: Mapping[str, Any], seeds: int) -> str:
    """How networks were trained and judged, in sentences.

    Args:
        regime: The regime.
        data: The study's fact, `Images.facts()`; empty where nothing was trained.
        seeds: With how many seeds each network was trained, at most.
    """
    images = data.get("train_images") or regime.train_images
    images = "all images" if images is None else f"{images:,} images"
    shape = f" of {_TIMES.join(map(str, data['shape']))}" if "shape" in data else ""
    judged = f"{data['judged_images']:,} " if "judged_images" in data else ""
    epochs = f"{regime.epochs} epoch{'s' if regime.epochs > 1 else ''}"
    augmented = "augmented" if regime.augment else "not augmented"
    return (
        f"Each network was trained for {epochs} on {images}{shape} of {regime.data}, "
        f"{augmented}, in batches of {regime.batch_size}, with a learning rate that "
        f"falls from {regime.learning_rate:g} along half a cosine, momentum 0.9 and a "
        f"weight decay of {regime.weight_decay:g}, in {regime.precision}. Its error is "
        f"the share of {judged}held-out images of the training part that are wrong "
        "after the last epoch"
        + (f", the mean over {seeds} seeds." if seeds > 1 else ".")
    )


def making_section(
    study: StudyFile, names: Sequence[str], records: Sequence[Record]
) -> ET.Element:
    """Regime, sampling, software and processors as tables."""
    facts = study.facts()
    tables = [
        table(
            "Regime",
            ("setting", "value"),
            [("digest", study.regime.digest), *_settings(study.regime.identity())],
        )
    ]
    if facts.get("data"):
        tables.append(table("Images", ("what", "value"), _settings(facts["data"])))
    tables += [
        table(f"Software from {session.get('from')}", ("what", "value"), rows)
        for session in facts.get("sessions") or ()
        if (rows := _settings({k: v for k, v in session.items() if k != "from"}))
    ]
    if rows := _workers(records):
        tables.append(
            table("Workers", ("worker", "networks", "time"), rows, numbers=(1, 2))
        )
    return section(
        "making",
        "How the study was made",
        element("div", tables, class_="tables"),
        _sampling({name: facts[f"space:{name}"] for name in names}),
    )


def seconds(records: Sequence[Record]) -> float:
    """How long all trials took together."""
    return sum(sum((record.seconds or {}).values()) for record in records)


def _sampling(plans: Mapping[str, Mapping[str, Any]]) -> ET.Element:
    """How the networks of each space were sampled, a column per space."""
    columns = [dict(_settings(plan)) for plan in plans.values()]
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = [[key, *(column.get(key, "") for column in columns)] for key in keys]
    return table("Sampling", ("setting", *plans), rows)


def _settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [(key, setting(value)) for key, value in flat(values)]
    return [(key.replace("_", " "), value) for key, value in rows]


def _workers(records: Sequence[Record]) -> list[tuple[str, int, str]]:
    """What kinds of workers there were, without their numbers."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        if record.worker:
            kind = re.sub(r"^\d+: ", "", record.worker)
            kinds.setdefault(kind, []).append(record)
    return [(k, len(each), duration(seconds(each))) for k, each in kinds.items()]
