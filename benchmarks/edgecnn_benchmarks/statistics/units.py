"""Limits as people type them, with their units: `5ms`, `1MB`, `10%`."""

import enum
import re

from edgecnn_runtime.errors import InputError

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(\D*?)\s*")


class Quantity(enum.Enum):
    """What can be limited."""

    DURATION = "us, ms or s, such as 5ms"
    SIZE = "B, kB (or k), MB (or M), KiB or MiB, such as 1MB"
    SHARE = "%, such as 10%"


# What each unit is in microseconds, bytes or as a share. Sizes as disks, flash chips and `edgecnn bench` count them;
# the binary ones with their own names (IEC 80000-13).
_FACTORS = {
    Quantity.DURATION: {"us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6},
    Quantity.SIZE: {"b": 1.0, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "gb": 1e9}
    | {"kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3},
    Quantity.SHARE: {"%": 0.01},
}


def parse(text: str, quantity: Quantity, *, option: str) -> float:
    """Read a number with its unit and return microseconds, bytes or a share.

    Raises:
        InputError: no number above 0, or no unit of that quantity.

    >>> parse("5ms", Quantity.DURATION, option="--max-latency"), parse("512KiB", Quantity.SIZE, option="--max-size")
    (5000.0, 524288.0)
    >>> parse("60k", Quantity.SIZE, option="--max-size")
    60000.0
    >>> parse("10%", Quantity.SHARE, option="--fail-if-slower")
    0.1
    """
    match = _NUMBER.fullmatch(text)
    factor = _FACTORS[quantity].get(match[2].lower()) if match else None
    if match is None or factor is None or float(match[1]) == 0:
        raise InputError(f"{option}: expected a number above 0 with its unit ({quantity.value}), got {text!r}")
    return float(match[1]) * factor
