"""The cases by name, with the settings that the project's tables show."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from keras_regnet.architecture import canonical_name
from keras_regnet.benchmarks import import_time, start_up
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.gpu import BATCH_SIZE, find_gpu, gpu
from keras_regnet.benchmarks.growth import growth
from keras_regnet.benchmarks.inference import inference
from keras_regnet.benchmarks.input_pipeline import POLICIES, input_pipeline
from keras_regnet.benchmarks.memory import memory
from keras_regnet.benchmarks.onnx_files import onnx_files
from keras_regnet.benchmarks.saved_models import saved_models
from keras_regnet.benchmarks.settings import Setting
from keras_regnet.benchmarks.training_step import training_step
from keras_regnet.optional import require

# network: image size, batch size of training
_NETWORKS = {
    "RegNetX-200MF": (224, 32),
    "RegNetX-3.2GF": (224, 32),
    "RegNetY-400MF": (224, 32),
    "RegNetX32": (32, 128),
}
_INFERENCE_BATCHES = (1, 32)
# network: batch size on Keras' torch backend
_TORCH_BACKEND = {"RegNetX-200MF": 32, "RegNetY-400MF": 32, "RegNetX-3.2GF": 8}
_EXPORTED = "RegNetY-400MF"
_SMALLEST, _LARGEST = "RegNetX-200MF", "RegNetY-32GF"


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run of the suite was asked for; None stands for each case's default.

    Attributes:
        models: Networks.
        image_size: Pixels along both sides.
        batch_sizes: Images in a batch; each is measured.
        rounds: How often the cases of a comparison alternate.
        steps: Steps of a case in a round.
        precisions: Of `settings.PRECISIONS`; for train, infer, memory, growth, gpu
            and torch_backend.
        jit_compile: Whether XLA is a case of ours too.
        stock_layers: Whether Keras' own layers are a case of train too.
        peers: Names of `peers.PEERS` to compare with.
        absent: Those that cannot be had, and why.
        images: Files of the input case.
        policies: Of `input_pipeline.POLICIES`; for input.
        memory_limit: Of the growth case, in GB.
        seconds_limit: Of a step of the growth case.
    """

    models: Sequence[str] | None = None
    image_size: int | None = None
    batch_sizes: Sequence[int] | None = None
    rounds: int = 5
    steps: int | None = None
    precisions: Sequence[str] = ("float32",)
    jit_compile: bool = False
    stock_layers: bool = False
    peers: Sequence[str] = ()
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images: int = 2048
    policies: Sequence[str] = POLICIES
    memory_limit: float | None = None
    seconds_limit: float = 30.0

    def settings(
        self, batches: Sequence[int] | None = None, precisions: bool = True
    ) -> list[Setting]:
        """Every combination of network, precision and batch size.

        Args:
            batches: The case's batch sizes, unless the options name some; None for
                those of training.
            precisions: Whether the case knows any but float32.
        """
        return [
            Setting(
                network,
                self.image_size or _NETWORKS.get(network, (224, 32))[0],
                batch,
                precision,
                self.steps,
            )
            for network in self.models or _NETWORKS
            for precision in (self.precisions if precisions else ("float32",))
            for batch in self.batch_sizes
            or batches
            or (_NETWORKS.get(network, (224, 32))[1],)
        ]

    def peers_of(self, *names: str) -> tuple[Sequence[str], dict[str, str]]:
        """Those of the peers that a case knows: present, and absent with the reason."""
        return (
            [name for name in self.peers if name in names],
            {name: why for name, why in self.absent.items() if name in names},
        )


def _train(options: Options) -> Iterator[Comparison]:
    peers = options.peers_of("timm", "compile")
    for setting in options.settings():
        yield training_step(
            setting,
            options.rounds,
            *peers,
            jit_compile=options.jit_compile,
            stock_layers=options.stock_layers,
        )


def _infer(options: Options) -> Iterator[Comparison]:
    peers = options.peers_of("timm", "compile", "torchvision", "onnxruntime")
    for setting in options.settings(_INFERENCE_BATCHES):
        yield inference(
            setting, options.rounds, *peers, jit_compile=options.jit_compile
        )


def _onnx(options: Options) -> Iterator[Comparison]:
    try:
        require("onnxruntime", "export")
        require("tf2onnx", "export")
    except ImportError as error:
        print(f"onnx: left out ({error})")
        return
    options = dataclasses.replace(options, models=options.models or [_EXPORTED])
    settings = options.settings(_INFERENCE_BATCHES, precisions=False)
    for _, group in itertools.groupby(settings, lambda setting: setting.network):
        yield from onnx_files(
            list(group), options.rounds, *options.peers_of("onnxruntime")
        )


def _saved_model(options: Options) -> Iterator[Comparison]:
    options = dataclasses.replace(options, models=options.models or [_EXPORTED])
    settings = options.settings(_INFERENCE_BATCHES, precisions=False)
    for _, group in itertools.groupby(settings, lambda setting: setting.network):
        yield from saved_models(list(group), options.rounds, *options.peers_of("timm"))


def _input(options: Options) -> Iterator[Comparison]:
    for batch in options.batch_sizes or (32,):
        yield from input_pipeline(
            options.rounds,
            *options.peers_of("torchvision"),
            image_size=options.image_size or 224,
            batch_size=batch,
            images=options.images,
            policies=options.policies,
        )


def _build(options: Options) -> Iterator[Comparison]:
    timm = options.peers_of("timm")
    yield import_time.imports(options.rounds, *timm)
    for network in options.models or (_SMALLEST, _LARGEST):
        yield start_up.construction(network, options.rounds, *timm)
    for setting in options.settings(precisions=False):
        yield start_up.first_step(
            setting,
            options.rounds,
            *options.peers_of("timm", "compile"),
            jit_compile=options.jit_compile,
        )


def _memory(options: Options) -> Iterator[Comparison]:
    for setting in options.settings():
        yield from memory(setting, options.rounds, *options.peers_of("timm"))


def _growth(options: Options) -> Iterator[Comparison]:
    for precision in options.precisions:
        for batch in options.batch_sizes or (8,):
            yield from growth(
                options.rounds,
                *options.peers_of("timm"),
                networks=options.models,
                image_size=options.image_size or 224,
                batch_size=batch,
                precision=precision,
                steps=options.steps,
                memory_limit=options.memory_limit,
                seconds_limit=options.seconds_limit,
            )


def _gpu(options: Options) -> Iterator[Comparison]:
    name = find_gpu()
    if name is None:
        print("gpu: left out, since torch finds no GPU")
        return
    print(f"gpu: {name}")
    yield from gpu(
        options.settings((BATCH_SIZE,)),
        options.rounds,
        *options.peers_of("timm", "compile"),
    )


def _torch_backend(options: Options) -> Iterator[Comparison]:
    for network in options.models or _TORCH_BACKEND:
        chosen = dataclasses.replace(options, models=[network])
        yield from gpu(
            chosen.settings((_TORCH_BACKEND.get(network, 32),)),
            options.rounds,
            *options.peers_of("timm", "compile"),
            backend="torch",
            device="cpu",
        )


CASES: dict[str, Callable[[Options], Iterator[Comparison]]] = {
    "train": _train,
    "infer": _infer,
    "onnx": _onnx,
    "saved_model": _saved_model,
    "input": _input,
    "build": _build,
    "memory": _memory,
    "growth": _growth,
    "gpu": _gpu,
    "torch_backend": _torch_backend,
}
"""Each gives its comparisons as they are measured."""


def chosen(names: Sequence[str]) -> list[str]:
    """The cases of a command line, in the order of `CASES` and each once.

    Raises:
        ValueError: There is no such case, or none is named.
    """
    known = [*CASES, "all"]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"The cases are {', '.join(known)}. Received: {unknown[0]}")
    if not names:
        raise ValueError(f"Name at least one case: {', '.join(known)}. Received: none")
    return [name for name in CASES if name in names or "all" in names]


def whole_numbers(words: Sequence[str] | None) -> list[int] | None:
    """The numbers of a comma separated flag.

    Raises:
        ValueError: One is no whole number.
    """
    if wrong := [word for word in words or () if not word.isdecimal()]:
        raise ValueError(f"Batch sizes must be whole numbers. Received: {wrong[0]}")
    return words and [int(word) for word in words]


def check(options: Options) -> Options:
    """The options with canonical names, checked before anything is measured.

    Raises:
        ValueError: A network, a size, a precision or a policy is impossible.
    """
    if options.models:
        models = [canonical_name(name) for name in options.models]
        options = dataclasses.replace(options, models=models)
    options.settings()
    if unknown := [name for name in options.policies if name not in POLICIES]:
        raise ValueError(
            f"The policies are {', '.join(POLICIES)}. Received: {unknown[0]}"
        )
    return options
