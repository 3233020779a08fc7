"""Programs of KERAS_BACKEND=jax for the tests of training on resident data.

    python -m tests.training.resident_cases train [--kill=N] FLAGS...
    python -m tests.training.resident_cases same FOLDER PRECISION
    python -m tests.training.resident_cases augment FOLDER

The first is scripts/train_resident.py with those flags, which ends itself, as a kill
would, as it begins its Nth call of the compiled steps. TensorFlow cannot be imported in
any of them.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

RUN = {  # whose ordinary counterpart test_resident.py trains
    "model": {
        "architecture": {
            "depth": 2,
            "w0": 32,
            "wa": 16,
            "wm": 2.0,
            "group_width": 16,
            "stem": "small",
            "stem_width": 16,
        }
    },
    "data": {"batch_size": 57, "augment": "none"},
    "training": {
        "epochs": 10,
        "learning_rate": 0.005,
        "schedule": "constant",
        "warmup_epochs": 0.0,
        "ema_decay": 0.9,
        "log_every_steps": 1,
        "validate_every_epochs": 0,
        "checkpoint_every_minutes": 0.0,
    },
}


def configured(folder, precision):
    """The run on zeros and ones, which are told apart at a small rate.

    At larger ones the differences of rounding grow a million times in 50 steps. Noise
    keeps pixels from being equal: else a ReLU of all of a background turns at once.
    """
    from keras_regnet.data import DataConfig, arrays
    from keras_regnet.training.recipes import configure

    path = folder / "digits.npz"
    digits = arrays.digits(DataConfig(image_size=16))
    parts = {}
    for name, (images, labels) in (
        ("train", digits.train),
        ("test", digits.validation),
    ):
        noise = np.random.default_rng(0).integers(0, 64, images.shape)
        images = np.minimum(images // 2 + noise, 255).astype(np.uint8)
        chosen = labels < 2
        parts |= {f"x_{name}": images[chosen], f"y_{name}": labels[chosen]}
    np.savez(path, **parts)
    return configure(
        model=RUN["model"] | {"precision": precision},
        data=RUN["data"] | {"name": f"npz:{path}"},
        training=RUN["training"],
    )


def train(arguments):
    if arguments[0].startswith("--kill="):
        left = int(arguments.pop(0).partition("=")[2])
        from keras_regnet.training.resident_loop import ResidentLoop

        original = ResidentLoop.train

        def killed(self, *args):
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            original(self, *args)

        ResidentLoop.train = killed
    script = str(ROOT / "scripts" / "train_resident.py")
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def same(arguments):
    """The run of the test, from the weights in `initial.npz`; its first gradients."""
    folder, precision = Path(arguments[0]), arguments[1]
    import jax

    from keras_regnet.training.averaging import float_variables
    from keras_regnet.training.resident import ResidentTrainer
    from keras_regnet.training.resident_data import load_resident

    if precision == "float64":
        jax.config.update("jax_enable_x64", True)
    run = configured(folder, precision)
    data = load_resident(run.data)
    network = run.model.build(data.image_shape, data.num_classes)
    trainer = ResidentTrainer(
        network, data, run.training, folder / "resident", verbose=0
    )
    model = trainer.loop.model
    with np.load(folder / "initial.npz") as stored:
        for index, variable in enumerate(model.variables):
            variable.assign(stored[f"arr_{index}"])
    averages = trainer.loop.averages.variables
    for average, variable in zip(
        averages, float_variables(model.variables), strict=True
    ):
        average.assign(variable)
    rows = data.order(0)[: run.data.batch_size]
    gradients, _ = jax.jit(trainer.loop.gradients)(
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        data.train.images[rows].astype("float32"),
        data.train.labels[rows],
    )
    np.savez(folder / "gradients.npz", *map(np.asarray, gradients))
    trainer.train()


def augment(arguments):
    """What a batch comes to, by each part of the augmentation."""
    folder = Path(arguments[0])
    import jax

    from keras_regnet.data.config import DataConfig
    from keras_regnet.training import resident_augment as parts

    with np.load(folder / "images.npz") as stored:
        images, boxes = stored["images"], stored["boxes"]
    found = {"crops": parts.crop_and_resize(images, boxes.astype("float32"), 16)}
    key = jax.random.key(3)
    found["padded"] = parts.pad_crop(key, images, 3)
    many = 20_000
    found["boxes"] = parts.crop_boxes(key, many, 32, 40, (0.08, 1.0), (3 / 4, 4 / 3))
    found["erased"] = parts.erased_boxes(key, many, 32, 40, 0.25)
    labels = np.arange(len(images), dtype="int32")
    for name, fields in {
        "mixup": {"mixup_alpha": 0.4},
        "cutmix": {"cutmix_alpha": 1.0},
        "all": {"mixup_alpha": 0.2, "cutmix_alpha": 1.0, "random_erasing": 1.0},
        "noise": {"random_erasing": 1.0, "erasing_mode": "noise"},
    }.items():
        config = DataConfig(**fields)
        shape = images.shape[1:]
        whole = parts.ResidentAugment(config, "none", False, 0, shape, len(images))
        mixed, shares = jax.jit(whole)(key, images, labels)
        found |= {name: mixed, f"{name}_labels": shares}
    found |= {name: sums(name == "looped") for name in ("single", "looped")}
    np.savez(folder / "augmented.npz", **found)


def sums(in_a_loop):
    """The sums of five steps on digits, one call each or all in one."""
    import jax
    import keras

    from keras_regnet.training.recipes import configure
    from keras_regnet.training.resident_data import load_resident
    from keras_regnet.training.resident_loop import ResidentLoop

    data = {"image_size": 8, "batch_size": 32, "random_erasing": 0.5}
    training = {"epochs": 2, "learning_rate": 0.01, "ema_decay": 0.9}
    run = configure(model=RUN["model"], data=data, training=training)
    data = load_resident(run.data)
    keras.utils.set_random_seed(1)
    network = run.model.build(data.image_shape, data.num_classes)
    model = keras.Model(network.inputs, network.get_layer("head_fc").output)
    loop = ResidentLoop(model, data, run.training)
    if in_a_loop:  # as on an accelerator
        loop._in_a_loop = True
        loop._train = jax.jit(loop._train_steps, donate_argnums=(0, 1))
    batches = data.order(3), jax.random.key(4)
    for first, count in ((0, 2), (2, 3)):
        loop.train(batches, np.full(count, 0.01), np.full(count, 0.5), first)
    loop.average_statistics()
    return np.concatenate(
        [[*loop.tally.read()], *(np.ravel(v) for v in loop.averages.variables)]
    )


if __name__ == "__main__":
    sys.modules["tensorflow"] = None
    {"train": train, "same": same, "augment": augment}[sys.argv[1]](sys.argv[2:])
