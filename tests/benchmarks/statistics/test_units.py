import pytest

from edgecnn_benchmarks.statistics.units import Quantity, parse
from edgecnn_runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5ms", 5000), ("800us", 800), ("800µs", 800), ("1.5 s", 1.5e6), (".5ms", 500), (" 2 MS ", 2000), ("5.ms", 5000)],
)
def test_durations(text: str, expected: float) -> None:
    assert parse(text, Quantity.DURATION, option="--max-latency") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1MB", 1e6), ("512kB", 512e3), ("512KiB", 524_288), ("1 mib", 2**20), ("900B", 900), ("0.5GB", 5e8)],
)
def test_sizes(text: str, expected: float) -> None:
    assert parse(text, Quantity.SIZE, option="--max-size") == pytest.approx(expected)


@pytest.mark.parametrize("text", ["10%", "10 %", "10.0%"])
def test_percentages(text: str) -> None:
    assert parse(text, Quantity.SHARE, option="--fail-if-slower") == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text", ["", "5", "ms", "-5ms", "5 min", "5mms", "1e3us", "nan ms", "0ms", "5ms5", "٣ms", "1,5ms"]
)
def test_what_is_no_duration_is_told_by_its_option(text: str) -> None:
    with pytest.raises(InputError, match="--max-latency: expected a number above 0 with its unit"):
        parse(text, Quantity.DURATION, option="--max-latency")


@pytest.mark.parametrize("quantity", Quantity)
def test_a_bare_number_has_no_unit(quantity: Quantity) -> None:
    with pytest.raises(InputError, match="such as"):
        parse("0.1", quantity, option="--limit")
