"""The command `train`: populations into a study, until all are done."""

import contextlib
import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_regnet.design_space.images import Images, load_images
from keras_regnet.design_space.live_table import LiveTable
from keras_regnet.design_space.population import train_population
from keras_regnet.design_space.program import flags
from keras_regnet.design_space.records import FAILED
from keras_regnet.design_space.regime import Regime
from keras_regnet.design_space.study import Study
from keras_regnet.design_space.study_export import export_study, import_study
from keras_regnet.design_space.study_file import StudyFile
from keras_regnet.files import local_path
from keras_regnet.training.flag_values import check_uses
from keras_regnet.training.interruption import TerminatedError


def run(values: Any) -> None:
    """Adds the networks that are asked for, and trains all that wait."""
    flags.needed(values, "study")
    path, export = Path(values.study), values.export and Path(values.export)
    if path.suffix == ".jsonl":
        raise ValueError(
            "Networks are trained into an SQLite file; give the export by --export. "
            f"Received: --study={path}"
        )
    if export:
        local_path(export, "export")  # before work starts
    _check_uses(values)
    seeds = flags.numbers("seeds", values.seeds)
    if export and export.exists() and not path.exists():
        import_study(export, path)
        print(f"{path} was made from {export}.")
    names = flags.words(values.spaces)
    if not names and not path.exists():
        raise ValueError(
            "A new study needs networks: --spaces says of which spaces. "
            f"Received: --spaces={values.spaces}"
        )
    regime = _regime(path, flags.regime_fields(values))
    images = load_images(regime)
    samples = [_sampled(values, name, images) for name in names]
    with _terminated(), Study.open(path, regime) as study:
        study.check_images(images.facts())
        for plan, sample in samples:
            added = study.add(
                plan.space,
                sample.networks,
                plan.to_dict(),
                input_shape=images.shape,
                classes=images.classes,
                seeds=seeds,
            )
            print(f"{sample}; {added} new in the study.")
        if values.retry_failed:
            print(f"{study.retry_failed()} networks that failed are tried once more.")
        try:
            _train(values, study, images)
        finally:
            if export:
                export_study(study, export)
        _tell_failures(study)


def _check_uses(values: Any) -> None:
    """Refuses flags of what is not done."""
    groups = flags.GROUPS["train"]
    drawn = *groups["What to draw"], *groups["Networks"], *groups["Windows"]
    of_ray = "cpus", "gpus", "ray_address", "pinned", "retries"
    uses = dict.fromkeys(drawn, (bool(values.spaces), "--spaces"))
    uses |= dict.fromkeys(of_ray, (values.workers != 0, "workers of Ray"))
    del uses["spaces"]
    check_uses(values, uses)


def _regime(path: Path, given: dict[str, Any]) -> Regime:
    """What was given; the rest as in the study, or where there is none the defaults."""
    if not path.exists():
        return Regime(**given)
    with StudyFile.read(path) as study:
        return dataclasses.replace(study.regime, **given)


def _sampled(values: Any, name: str, images: Images) -> tuple[Any, Any]:
    height, width, channels = images.shape
    plan = flags.plan(
        values,
        name,
        input_size=(height, width),
        input_channels=channels,
        classes=images.classes,
    )
    return plan, plan.sample(values.n)


def _train(values: Any, study: Study, images: Images) -> None:
    train_population(
        study,
        data_dir=values.data_dir,
        workers=values.workers,
        cpus=values.cpus,
        gpus=values.gpus,
        address=values.ray_address,
        pinned=values.pinned,
        retries=values.retries,
        images=images,
        table=LiveTable(),
    )


def _tell_failures(study: Study) -> None:
    for record in study.records(status=FAILED):
        print(f"Failed: network {record.id} of {record.space}: {record.reason}")


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does, but by a TerminatedError."""
    terminated = False

    def end(*_: object) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt  # Ray's calls let no other exception out

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        if terminated:
            raise TerminatedError from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
