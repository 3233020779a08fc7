"""Our networks on one of Keras' backends beside timm's in torch, on a GPU or a CPU.

Each framework has a process of its own, which keeps its arrays on the device; they take
turns. On a GPU ours run on JAX, unless `KERAS_BACKEND` names another.
"""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from keras_regnet.benchmarks import fresh_process
from keras_regnet.benchmarks.alternation import Case, take_turns
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.settings import Setting

BATCH_SIZE = 256
_HERE = "keras_regnet.benchmarks.gpu"
_KINDS = ("train", "infer")


def find_gpu() -> str | None:
    """The name of the GPU as torch gives it; None without one, or without torch."""
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def gpu(
    settings: Sequence[Setting],
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
    *,
    backend: str | None = None,
    device: str = "cuda",
) -> Iterator[Comparison]:
    """Seconds of a training step, and of the logits of a batch.

    Args:
        settings: The networks, sizes and precisions.
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch, channels last; `"compile"` for torch.compile.
        absent: Peers that are known not to be there, and why.
        backend: Keras' backend; by default what `KERAS_BACKEND` says, or `"jax"`.
        device: torch's name of the device. Keras takes the first that it finds.

    Yields:
        For each setting a comparison of training and one of inference. Their `peak` is
        the rate of a large matrix product in the same precision on the same device.
    """
    backend = backend or os.environ.get("KERAS_BACKEND", "jax")
    environment = {
        "KERAS_BACKEND": backend,
        "KERAS_TORCH_DEVICE": device,
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    for setting in settings:
        peak = fresh_process.call(
            f"{_HERE}:matrix_product_rate",
            {"precision": setting.precision, "device": device},
            lean=True,
        )
        for kind in _KINDS:
            fields = {"setting": setting.to_dict(), "kind": kind}
            ours = f"keras_regnet, {backend}"
            with contextlib.ExitStack() as stack:
                serve = stack.enter_context
                cases = {
                    ours: serve(
                        fresh_process.serve(
                            f"{_HERE}:keras_case", fields, environment=environment
                        )
                    )
                }
                columns = {}
                for peer, column, name in (
                    ("timm", "eager torch", "timm, channels_last"),
                    ("compile", "torch.compile", "timm, torch.compile"),
                ):
                    if peer not in peers:
                        continue
                    asked = fields | {"device": device, "compiled": peer == "compile"}
                    case = fresh_process.serve(f"{_HERE}:torch_case", asked, lean=True)
                    cases[name], columns[column] = serve(case), [name]
                for case in cases.values():
                    case()  # compiles
                values = take_turns(cases, rounds)
            passes = 3 if kind == "train" else 1
            flops = 2 * passes * setting.multiply_adds * setting.batch_size
            what = "training step" if kind == "train" else "inference"
            yield Comparison(
                f"{what} on {device}, {setting}",
                values,
                columns,
                setting={
                    **setting.fields(f"gpu {kind}"),
                    "images": setting.batch_size,
                    "flops": flops,
                    "peak": peak,
                },
                absent=dict(absent or {}),
            )


def keras_case(setting: dict, kind: str) -> Case:
    """Our case, in a process whose `KERAS_BACKEND` is set."""
    import keras

    from keras_regnet.benchmarks import keras_cases

    made = Setting(**setting)
    if keras.backend.backend() == "tensorflow":
        if kind == "train":
            return keras_cases.fit(made)
        return keras_cases.inference_builders(made, False)[
            "keras_regnet, tf.function"
        ]()
    makers = {
        "jax": {"train": _jax_training, "infer": _jax_inference},
        "torch": {"train": _torch_training, "infer": _torch_inference},
    }
    if keras.backend.backend() not in makers:
        raise ValueError(
            "Networks are measured on the backends tensorflow, jax and torch. "
            f"Received: {keras.backend.backend()}"
        )
    return makers[keras.backend.backend()][kind](made)


def torch_case(setting: dict, kind: str, device: str, compiled: bool) -> Case:
    """The case of timm, in a process without TensorFlow."""
    from keras_regnet.benchmarks import torch_cases

    make = torch_cases.training if kind == "train" else torch_cases.inference
    return make(Setting(**setting), "channels_last", compiled, device=device)


def matrix_product_rate(precision: str, device: str, size: int | None = None) -> float:
    """Floating point operations a second of a large matrix product; the best of ten."""
    import torch

    size = size or (8192 if device == "cuda" else 1024)
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    matrix = torch.ones((size, size), dtype=dtype, device=device)

    def seconds() -> float:
        start = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        return time.perf_counter() - start

    seconds()
    return 2 * size**3 / min(seconds() for _ in range(10))


def _jax_training(setting: Setting) -> Case:
    import jax
    import keras

    from keras_regnet.benchmarks.keras_cases import network
    from keras_regnet.optimizers import SGD

    model = network(setting)
    optimizer = SGD(0.01, momentum=0.9, nesterov=True)
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images, labels = (jax.device_put(array) for array in setting.batch())

    def loss(trained: list, others: list) -> tuple[Any, list]:
        logits, others = model.stateless_call(trained, others, images, training=True)
        return cross_entropy(labels, logits), others

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(trained: list, others: list, moments: list) -> tuple:
        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(
            trained, others
        )
        trained, moments = optimizer.stateless_apply(moments, gradients, trained)
        return trained, others, moments, value

    state = tuple(
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
    )

    def case() -> float:
        nonlocal state
        start = time.perf_counter()
        for _ in range(setting.training_steps):
            *state, value = step(*state)
        value.block_until_ready()
        return (time.perf_counter() - start) / setting.training_steps

    return case


def _jax_inference(setting: Setting) -> Case:
    import jax

    from keras_regnet.benchmarks.keras_cases import network

    model = network(setting)
    images = jax.device_put(setting.batch()[0])
    weights = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    infer: Callable = jax.jit(
        lambda weights, images: model.stateless_call(*weights, images, training=False)[
            0
        ]
    )

    def case() -> float:
        start = time.perf_counter()
        for _ in range(setting.inference_steps):
            logits = infer(weights, images)
        logits.block_until_ready()
        return (time.perf_counter() - start) / setting.inference_steps

    return case


def _torch_training(setting: Setting) -> Case:
    import keras
    import torch

    from keras_regnet.benchmarks.keras_cases import network
    from keras_regnet.optimizers import SGD

    model = network(setting)
    model.compile(
        SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batch = tuple(keras.ops.convert_to_tensor(array) for array in setting.batch())
    steps = setting.training_steps
    data = torch.utils.data.DataLoader([batch] * steps, batch_size=None)

    def case() -> float:
        start = time.perf_counter()
        model.fit(data, verbose=0, shuffle=False)
        _wait(batch[0])
        return (time.perf_counter() - start) / steps

    return case


def _torch_inference(setting: Setting) -> Case:
    import keras
    import torch

    from keras_regnet.benchmarks.keras_cases import network

    model = network(setting)
    images = keras.ops.convert_to_tensor(setting.batch()[0])
    steps = setting.inference_steps

    def case() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(steps):
                model(images, training=False)
        _wait(images)
        return (time.perf_counter() - start) / steps

    return case


def _wait(tensor: Any) -> None:
    """Until the device of a torch tensor has done what it was given."""
    if tensor.is_cuda:
        import torch

        torch.cuda.synchronize()
