#!/usr/bin/env python3
"""A recipe on a bare GPU machine that is there for minutes only.

    resident_gpu.py pack --dataset=tfrecord:PATH --parts=FOLDER
    resident_gpu.py train --parts=FOLDER --state=FOLDER --seconds=540 [flags]
    resident_gpu.py unpack --state=FOLDER --run_dir=FOLDER
    resident_gpu.py --small

`pack` puts the files of a folder, a file of arrays, or a prepared TFDS data set into
parts below 60 MB. `train`, there, joins and decodes them, measures a step, and takes as
many epochs as fit into the seconds, start, decoding and compilation included; its other
flags are those of train_resident.py. With --total_seconds the epochs are chosen for
several calls: one that ends early leaves a checkpoint in --state, from which the next
goes on. --state receives the run directory in at most 8 files below 16 MiB, and prints
a line of JSON with images a second. `unpack` makes a run directory of them again.
--small does it all here, on digits, in a folder of its own.

The machine needs JAX, Keras, NumPy and Pillow; TensorFlow is not needed.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import contextlib
import io
import json
import math
import shutil
import signal
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from absl import app
from absl import flags as absl_flags

from keras_regnet.data.config import locate
from keras_regnet.training import command_line, flags, resident_program
from keras_regnet.training.interruption import TerminatedError

_PART = 57 * 10**6  # bytes
_STATE, _STATES = 15 * 2**20, 8
_RESERVE = 0.05  # of the seconds, at least 10: what comes after the last epoch
_MEASURED_SECONDS = 3.0

absl_flags.DEFINE_string("parts", None, "The folder of the packed data.")
absl_flags.DEFINE_string("state", None, "The folder of what a call leaves.")
absl_flags.DEFINE_float("seconds", 540.0, "Of this call, from its start on.")
absl_flags.DEFINE_float("total_seconds", None, "Of all calls; by default of one.")
absl_flags.DEFINE_bool("small", False, "Pack, train twice and unpack here, on digits.")


def seconds_so_far() -> float:
    """Since this process began, its imports included."""
    began = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return now - int(began) / os.sysconf("SC_CLK_TCK")


def pack(source: Path, folder: Path, size: int = _PART, most: int | None = None) -> int:
    """Writes a file or a folder as a tar, in pieces; returns their number.

    Raises:
        ValueError: There would be more than `most`; nothing is left then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("part.*"):
        old.unlink()
    with tempfile.TemporaryFile() as whole:
        with tarfile.open(fileobj=whole, mode="w") as tar:
            tar.add(source, "." if source.is_dir() else source.name)
        count = math.ceil(whole.tell() / size)
        if most is not None and count > most:
            raise ValueError(
                f"{source} must fit into {most} files of {size} bytes: take a smaller "
                f"network. Received: {whole.tell()} bytes"
            )
        whole.seek(0)
        for number in range(count):
            (folder / f"part.{number:03}").write_bytes(whole.read(size))
    return count


def unpack(parts: Path, folder: Path) -> None:
    """What `pack` was given, from its pieces."""
    pieces = sorted(parts.glob("part.*"))
    if not pieces:
        raise ValueError(f"There must be files part.000 and so on. Received: {parts}")
    whole = io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))
    with tarfile.open(fileobj=whole) as tar:
        tar.extractall(folder, filter="data")


@contextlib.contextmanager
def ending_after(seconds: float) -> Iterator[None]:
    """Sends this process SIGTERM after so many seconds, while it trains.

    It is answered with a checkpoint then. Before and after it would be the end.
    """
    over = threading.Event()
    end = time.monotonic() + seconds

    def watch() -> None:
        while not over.wait(0.2):
            training = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
            if training and time.monotonic() > end:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def epochs_in(seconds: float, run: object) -> tuple[int, float]:
    """How many epochs take so many seconds, and images a second of the steps."""
    import keras
    import numpy as np

    from keras_regnet.training.resident_data import load_resident
    from keras_regnet.training.resident_loop import ResidentLoop

    data = load_resident(run.data)
    network = run.model.build(data.image_shape, data.num_classes)
    # Weights, velocities and averages, in the last and in the best checkpoint.
    needed = 24 * network.count_params()
    if needed > 0.9 * _STATE * _STATES:
        raise ValueError(
            f"What is left must fit into {_STATES} files of {_STATE} bytes: take a "
            f"smaller network. Received: about {needed} bytes"
        )
    model = keras.Model(network.inputs, network.get_layer("head_fc").output)
    loop = ResidentLoop(model, data, run.training)
    import jax

    batches = data.order(0), jax.random.key(0)

    def take(steps: int) -> float:
        begin = time.monotonic()
        loop.train(batches, np.zeros(steps), np.zeros(steps), 0)
        loop.tally.read()
        return time.monotonic() - begin

    take(1)
    steps = min(data.steps_per_epoch, max(1, round(_MEASURED_SECONDS / take(1))))
    a_step = take(steps) / steps
    begin = time.monotonic()
    for batch in range(0, len(data.validation.labels), run.data.batch_size):
        loop.evaluate(batch)
    loop.tally.read()
    validation = (time.monotonic() - begin) * (2 if run.training.ema_decay else 1)
    every = max(run.training.validate_every_epochs, 1)
    epoch = a_step * data.steps_per_epoch + validation / every
    return max(1, int(seconds / epoch)), run.data.batch_size / a_step


def train(values: absl_flags.FlagValues, folder: Path) -> dict[str, object]:
    """Trains within the seconds; returns what came out."""
    import jax

    from keras_regnet.training.resident import train_resident

    # The measured step is not compiled again.
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
    parts, state = (
        path and Path(path).resolve() for path in (values.parts, values.state)
    )
    # From here, so that a run that goes on finds its data under the same name.
    os.chdir(folder)
    run_dir = Path("run")
    left = values.seconds - max(10.0, _RESERVE * values.seconds)
    resumed = any(state.glob("part.*")) if state.is_dir() else False
    if parts:
        unpack(parts, Path("data"))
        _point_at(values, Path("data"))
    run = flags.run_config(values)
    speed = None
    if resumed:
        unpack(state, run_dir)
        stored = json.loads((run_dir / "config.json").read_text())["configuration"]
        epochs = stored["training"]["epochs"]
    else:
        used = seconds_so_far()
        total = (values.total_seconds or values.seconds) * (1 - _RESERVE) - used - 10
        epochs, speed = epochs_in(total, run)
    if not values["epochs"].present:
        values["epochs"].value = epochs
        run = flags.run_config(values)
    try:
        with ending_after(left - seconds_so_far()):
            result = train_resident(run, run_dir, resume=resumed, verbose=1)
        history, done = result.history, True
    except TerminatedError:
        log = (run_dir / "metrics.jsonl").read_text().splitlines()
        history = [row for row in map(json.loads, log) if row["kind"] == "epoch"]
        done = False
    for path in ("tensorboard", "model_raw.keras"):
        target = run_dir / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    _keep_the_last_checkpoint(run_dir / "checkpoints", done)
    files = pack(run_dir, state, _STATE, _STATES)
    last = history[-1] if history else {}
    return {
        "device": jax.devices()[0].device_kind,
        "done": done,
        "epochs": epochs,
        "epochs_done": last.get("epoch", 0),
        "measured_images_per_second": speed and round(speed),
        "images_per_second": last.get("images_per_second"),
        "validation_accuracy": last.get("validation_accuracy"),
        "ema_validation_accuracy": last.get("ema_validation_accuracy"),
        "seconds": round(seconds_so_far(), 1),
        "files": files,
    }


def _keep_the_last_checkpoint(folder: Path, done: bool) -> None:
    """What a later call needs; nothing after the end."""
    steps = sorted(folder.glob("step-*.npz"))
    for path in steps if done else steps[:-1]:
        path.unlink()
    if done:
        (folder / "best.npz").unlink(missing_ok=True)


def _point_at(values: absl_flags.FlagValues, folder: Path) -> None:
    """Names the unpacked data as the data set."""
    kind, _, name = (values.dataset or "").partition(":")
    if kind in ("tfrecord", "folder"):
        values.dataset = f"{kind}:{folder}"
    elif kind == "npz":
        values.dataset = f"npz:{folder / Path(name).name}"
    else:
        values.data_dir = str(folder)


def _source(values: absl_flags.FlagValues) -> Path:
    """The files of a data set."""
    run = flags.run_config(values)
    kind, root = locate(run.data)
    if root is not None:
        return Path(root)
    if kind == "digits" or not run.data.data_dir:
        raise ValueError(
            "A data set to pack must be tfrecord:/path, folder:/path, npz:/path, or "
            f"prepared by TFDS in --data_dir. Received: {run.data.name}"
        )
    return Path(run.data.data_dir)


def small() -> None:
    """All of it on this machine: pack, a call that is cut off, one that goes on."""
    import subprocess

    import numpy as np

    from keras_regnet.data import DataConfig, arrays

    digits = arrays.digits(DataConfig(image_size=16))
    network = ["--block=x", "--depth=2", "--w0=8", "--wa=8", "--wm=2"]
    network += ["--group_width=4", "--stem=small", "--recipe=small_images"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = dict(
            zip(("train", "test"), (digits.train, digits.validation), strict=True)
        )
        pairs = {f"x_{n}": part[0] for n, part in parts.items()}
        pairs |= {f"y_{n}": part[1] for n, part in parts.items()}
        np.savez(folder / "digits.npz", **pairs)
        data = f"--dataset=npz:{folder / 'digits.npz'}"
        common = [data, f"--parts={folder / 'parts'}", f"--state={folder / 'state'}"]
        limits = ["--total_seconds=90", "--checkpoint_every_epochs=1000"]
        for command in (
            ["pack", *common],
            ["train", *common, *network, *limits, "--seconds=45"],
            ["train", *common, *network, *limits, "--seconds=120"],
            ["unpack", *common, f"--run_dir={folder / 'run'}"],
        ):
            print(" ".join(command), flush=True)
            subprocess.run([sys.executable, __file__, *command], check=True)
        print(*sorted(path.name for path in (folder / "run").iterdir()))


def _main(argv: list[str]) -> None:
    values = flags.VALUES
    command = argv[1] if len(argv) == 2 else None
    if values.small:
        small()
        return
    if command == "pack":
        count = pack(_source(values), Path(values.parts))
        print(json.dumps({"parts": count}))
    elif command == "unpack":
        unpack(Path(values.state), Path(values.run_dir))
    elif command == "train":
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(train(values, Path(folder))))
    else:
        raise ValueError(f"COMMAND must be pack, train or unpack. Received: {argv[1:]}")


if __name__ == "__main__":
    without = resident_program.NOT_HERE
    flags.define(without=without)
    app.run(lambda argv: command_line.run(lambda: _main(argv)))
