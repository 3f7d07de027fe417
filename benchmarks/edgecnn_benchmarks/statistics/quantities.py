"""Quantities as people read them: three digits and the unit that fits."""

from collections.abc import Sequence

from edgecnn_benchmarks.statistics.intervals import Estimate

# The heads and the rows of a table for a terminal.
TextTable = tuple[list[str], list[list[str]]]


def three_digits(value: float) -> str:
    """Round to three significant digits, without an exponent.

    >>> [three_digits(value) for value in (0.01234, 1.5, 45.678, 137.4, 21_884.2)]
    ['0.0123', '1.50', '45.7', '137', '21,884']
    """
    if value == 0:
        return "0"
    decimals = 2
    while decimals < 8 and abs(value) < 10 ** (2 - decimals):
        decimals += 1
    while decimals > 0 and abs(value) >= 10 ** (3 - decimals):
        decimals -= 1
    return f"{value:,.{decimals}f}"


def microseconds(value: float) -> str:
    """Write a duration that is given in microseconds.

    >>> microseconds(45.678), microseconds(1898.2), microseconds(2_500_000)
    ('45.7 µs', '1.90 ms', '2.50 s')
    """
    for factor, unit in ((1.0, "µs"), (1e3, "ms")):
        if value < factor * 1000:
            return f"{three_digits(value / factor)} {unit}"
    return f"{three_digits(value / 1e6)} s"


def microseconds_span(estimate: Estimate) -> str:
    """Write the interval of a duration that is given in microseconds, with its unit.

    >>> microseconds_span(Estimate(9300, 9180, 9400)), microseconds_span(Estimate(995, 990, 1003))
    ('9.18…9.40 ms', '990…1,003 µs')
    """
    for factor, unit in ((1.0, "µs"), (1e3, "ms")):
        if estimate.low < factor * 1000:
            return f"{span(estimate, factor=1 / factor)} {unit}"
    return f"{span(estimate, factor=1e-6)} s"


def seconds(value: float) -> str:
    """Write a duration that is given in seconds.

    >>> seconds(0.1234), seconds(2.5)
    ('123 ms', '2.50 s')
    """
    return microseconds(value * 1e6)


def seconds_span(estimate: Estimate) -> str:
    """Write the interval of a duration that is given in seconds, with its unit.

    >>> seconds_span(Estimate(0.12, 0.11, 0.134))
    '110…134 ms'
    """
    return microseconds_span(Estimate(estimate.value * 1e6, estimate.low * 1e6, estimate.high * 1e6))


def percent_span(low: float, high: float) -> str:
    """Write the interval of a share 0…1, with its unit.

    >>> percent_span(0.9874, 0.99)
    '98.74…99.00 %'
    """
    return f"{low * 100:.2f}…{high * 100:.2f} %"


def size(value: float) -> str:
    """Write a number of bytes, in decimal units as disks and flash chips are sold.

    >>> size(5_896), size(1_210_432), size(92_300_000)
    ('5.90 kB', '1.21 MB', '92.3 MB')
    """
    for factor, unit in ((1.0, "B"), (1e3, "kB"), (1e6, "MB")):
        if value < factor * 1000:
            return f"{three_digits(value / factor) if unit != 'B' else int(value)} {unit}"
    return f"{three_digits(value / 1e9)} GB"


def percent(value: float) -> str:
    """Write a share 0…1.

    >>> percent(0.98702)
    '98.70 %'
    """
    return f"{value * 100:.2f} %"


def images(count: int) -> str:
    """Write a number of images.

    >>> images(1), images(10_000)
    ('1 image', '10,000 images')
    """
    return f"{count:,} image{'' if count == 1 else 's'}"


def times(value: float) -> str:
    """Write a ratio.

    >>> times(3.0496)
    '3.05×'
    """
    return f"{three_digits(value)}×"


def span(estimate: Estimate, *, factor: float = 1.0) -> str:
    """Write an interval, without a unit.

    >>> span(Estimate(3.0, 2.9, 3.123))
    '2.90…3.12'
    """
    return f"{three_digits(estimate.low * factor)}…{three_digits(estimate.high * factor)}"


def figure(estimate: Estimate) -> str:
    """Write a figure with its interval, without a unit.

    >>> figure(Estimate(3.0, 2.9, 3.123))
    '3.00 (2.90…3.12)'
    """
    return f"{three_digits(estimate.value)} ({span(estimate)})"


def shorten(name: str, most: int) -> str:
    """Cut a name in its middle, so that the ending that tells the format stays.

    >>> shorten("casting-mobilenetv2_float32.tflite", 20)
    'casting-…t32.tflite'
    """
    return name if len(name) <= most else f"{name[: most // 2 - 2]}…{name[-(most - most // 2) :]}"


def listed(names: Sequence[str]) -> str:
    """Write names one after the other.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
