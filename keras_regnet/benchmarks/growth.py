"""How the cost of a training step grows with the network, ours and torch's."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from keras_regnet.architecture import published_names
from keras_regnet.benchmarks.comparison import Comparison
from keras_regnet.benchmarks.fresh_process import FreshProcessError
from keras_regnet.benchmarks.resident_memory import available_memory
from keras_regnet.benchmarks.settings import Setting
from keras_regnet.benchmarks.training_step import training_step_apart

_SHARE = 0.8  # of the memory that is available
_SLOWEST_FIRST = 20.0  # a guess at multiply-adds a second, in 1e9, while none is known


def growth(
    rounds: int,
    peers: Sequence[str] = ("timm",),
    absent: Mapping[str, str] | None = None,
    *,
    networks: Sequence[str] | None = None,
    image_size: int = 224,
    batch_size: int = 8,
    precision: str = "float32",
    steps: int | None = None,
    memory_limit: float | None = None,
    seconds_limit: float = 30.0,
    say: Callable[[str], None] = print,
) -> Iterator[Comparison]:
    """Seconds of a training step from the smallest network upward.

    Every network is measured in a process of its own, ours and timm's in turn, until
    the next would not fit.

    Args:
        rounds: How often the cases alternate.
        peers: `"timm"` for eager torch; `"compile"` for torch.compile too.
        absent: Peers that are known not to be there, and why.
        networks: In ascending order; the paper's X networks by default.
        image_size: Pixels along both sides.
        batch_size: Images in a batch.
        precision: See `Setting`.
        steps: Training steps of a case in a round.
        memory_limit: In GB of 10^9 bytes; a network whose process is expected to need
            more ends the series. By default 0.8 of what is available.
        seconds_limit: A network whose step is expected to take longer ends it, too.
        say: Is told why the series ended.

    Yields:
        A comparison for each network.
    """
    if networks is None:
        networks = [name for name in published_names() if name.startswith("RegNetX")]
    if memory_limit is None:
        memory_limit = (available_memory() or 16e9) * _SHARE / 1e9
    seconds_each = 1 / (_SLOWEST_FIRST * 1e9)
    bytes_each = before = 0.0
    for network in networks:
        setting = Setting(network, image_size, batch_size, precision, steps)
        work = setting.multiply_adds * batch_size
        kept = setting.activations * batch_size
        seconds, gigabytes = work * seconds_each, (before + kept * bytes_each) / 1e9
        if seconds > seconds_limit or gigabytes > memory_limit:
            say(
                f"growth ends before {network}: about {seconds:.1f} s a step and "
                f"{gigabytes:.1f} GB are expected, the limits are {seconds_limit:g} s "
                f"and {memory_limit:.1f} GB"
            )
            return
        try:
            comparison, before, peak = training_step_apart(
                setting, rounds, peers, absent, kind="growth"
            )
        except FreshProcessError as error:
            say(f"growth ends before {network}: {error}")
            return
        slowest = max(comparison.median(name) for name in comparison.values)
        seconds_each = slowest / work
        bytes_each = max(0, peak - before) / kept
        yield comparison
