"""Limits as people type them, with their units: `5ms`, `1MB`, `10%`."""

import re
from collections.abc import Mapping

from edgecnn_runtime.errors import InputError

_MICROSECONDS = {"us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6}
# As disks, flash chips and `edgecnn bench` count them; the binary ones with their own names (IEC 80000-13).
_BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3}
_PERCENT = {"%": 0.01}

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(\D*?)\s*")


def parse_duration(text: str, *, option: str) -> float:
    """Read a duration and return it in microseconds.

    Raises:
        InputError: no number above 0, or no unit of time.

    >>> parse_duration("5ms", option="--max-latency"), parse_duration("800 us", option="--max-latency")
    (5000.0, 800.0)
    """
    return _parse(text, _MICROSECONDS, option, "us, ms or s, such as 5ms")


def parse_size(text: str, *, option: str) -> float:
    """Read a size and return it in bytes; kB and MB are 1000 and 1000² bytes, KiB and MiB 1024 and 1024².

    Raises:
        InputError: no number above 0, or no unit of size.

    >>> parse_size("1MB", option="--max-size"), parse_size("512KiB", option="--max-size")
    (1000000.0, 524288.0)
    """
    return _parse(text, _BYTES, option, "B, kB, MB, KiB or MiB, such as 1MB")


def parse_percent(text: str, *, option: str) -> float:
    """Read a percentage and return it as a share.

    Raises:
        InputError: no number above 0, or no percent sign.

    >>> parse_percent("10%", option="--fail-if-slower")
    0.1
    """
    return _parse(text, _PERCENT, option, "%, such as 10%")


def _parse(text: str, units: Mapping[str, float], option: str, expected: str) -> float:
    match = _NUMBER.fullmatch(text)
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None or float(match[1]) == 0:
        raise InputError(f"{option}: expected a number above 0 with its unit ({expected}), got {text!r}")
    return float(match[1]) * factor
