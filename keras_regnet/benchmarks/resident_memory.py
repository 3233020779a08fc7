"""How much memory this process has, and had at most."""

import resource
import sys
from pathlib import Path


def resident_memory() -> int:
    """Bytes that are resident now; where the system does not say, the peak."""
    return _status("VmRSS") or _peak_of_rusage()


def peak_memory() -> int:
    """Bytes that were resident at most.

    Linux hands `ru_maxrss` on to a process from the one that started it, so that a
    large parent would be measured in the place of a small child; VmHWM begins anew.
    """
    return _status("VmHWM") or _peak_of_rusage()


def available_memory() -> int | None:
    """Bytes that can be had without swapping, or None where it is not known."""
    return _field(Path("/proc/meminfo"), "MemAvailable")


def _peak_of_rusage() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _status(field: str) -> int | None:
    return _field(Path("/proc/self/status"), field)


def _field(path: Path, field: str) -> int | None:
    """A line such as `VmHWM:  1234 kB`, in bytes."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
