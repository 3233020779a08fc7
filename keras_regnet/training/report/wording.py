"""Numbers as a person writes them."""

_GAP = "\N{NO-BREAK SPACE}"


def duration(seconds: float) -> str:
    """A length of time: `7.2 s`, `3 min 5 s`, `2 h 3 min`, `4 d 2 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 as per cent."""
    return f"{100 * share:.{digits}f}{_GAP}%"


def probability(share: float) -> str:
    """A probability as per cent, without rounding to certainty what is not certain."""
    if 0.9995 <= share < 1:
        return f">{_GAP}99.9{_GAP}%"
    if 0 < share < 0.0005:
        return f"<{_GAP}0.1{_GAP}%"
    return percent(share, 1)


def short(number: float) -> str:
    """A large number with the prefix of its unit: `25.6 M`."""
    for size, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{prefix}"
    return f"{number:g}"


def setting(value: object) -> str:
    """A setting."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or "none"
    return str(value)
