import dataclasses
from pathlib import Path

import pytest
from made_bench import made_result

from edgecnn_benchmarks.judging.recommendation import ShipLimits, recommend_within, undominated
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.measuring.timing import Round
from edgecnn_benchmarks.statistics.intervals import median_estimate
from edgecnn_runtime.accuracy import Accuracy


@pytest.fixture(scope="module")
def result() -> BenchResult:
    return made_result(Path("here"), with_keras=True)


@pytest.mark.parametrize(
    ("limits", "ship", "runner_up"),
    [
        (ShipLimits(), "int8.tflite", "dynamic.tflite"),
        (ShipLimits(max_drop=0.1), "int8.tflite", "qat_int8.tflite"),  # as fast, and 68 bytes larger
        (ShipLimits(max_drop=0.001), "dynamic.tflite", "float32.onnx"),
        (ShipLimits(max_drop=0), "float32.tflite", None),
        (ShipLimits(max_size_bytes=1_212_000), "int8.tflite", None),
        (ShipLimits(max_latency_us=300), "int8.tflite", None),
        (ShipLimits(unfit={"mnist_int8.tflite": "no"}), "dynamic.tflite", "int8.onnx"),
        (ShipLimits(max_drop=0, max_latency_us=300), None, None),
    ],
)
def test_fastest_file_within_the_limits(
    result: BenchResult, limits: ShipLimits, ship: str | None, runner_up: str | None
) -> None:
    found = recommend_within(result, limits)
    names = [None if name is None else result.row(name).label for name in (found.ship, found.runner_up)]
    assert names == [ship, runner_up]
    # Every file is told of once, the Keras model not at all.
    named = [other.name for other in found.others] + ([found.ship] if found.ship else [])
    assert sorted(named) == sorted(row.name for row in result.rows if row.is_file)


def test_what_rules_a_file_out_is_told(result: BenchResult) -> None:
    limits = ShipLimits(max_latency_us=600, max_size_bytes=2e6, unfit={"mnist_int8.onnx": "takes TFLite"})
    found = recommend_within(result, limits)
    reasons = {result.row(other.name).label: other for other in found.others}
    assert (
        reasons["qat_int8.tflite"].reason == "4.40 points (88 images of 2,000) less accurate than the best, 1 allowed"
    )
    assert reasons["float32.tflite"].reason == "884 µs, 600 µs allowed; 4.80 MB, 2.00 MB allowed"
    assert reasons["int8.onnx"].reason == "takes TFLite"
    assert reasons["dynamic.tflite"].reason.startswith(
        "fits: 1.13× the latency, as large, 0.10 points (2 images of 2,000) more"
    )
    assert [label for label, other in reasons.items() if other.fits] == ["dynamic.tflite"]


def noisy(us: tuple[float, ...]) -> tuple[Round, ...]:
    return tuple(Round(value, value, value, value, 1e6 / value, runs=100) for value in us)


def test_what_few_noisy_rounds_cannot_tell_apart_is_not_called_as_fast(result: BenchResult) -> None:
    # 377 µs against 211: three rounds of a busy machine. The slower of them is smaller.
    fast, slow = result.row("mnist_float32.tflite"), result.row("mnist_int8.tflite")
    images = Accuracy(299, 300)
    rows = [
        with_latency(fast, noisy((205, 211, 390)), accuracy=images),
        with_latency(slow, noisy((377, 200, 600)), accuracy=Accuracy(298, 300)),
    ]
    found = recommend_within(dataclasses.replace(result, rows=tuple(rows), keras_accuracy=None), ShipLimits())
    assert found.ship == fast.name
    assert f"it cannot be told apart in speed from {slow.name}" in found.sentence
    (other,) = found.others
    assert other.reason == (
        "fits: cannot be told apart in speed (377 µs), 3.97× smaller, 0.33 points (1 image of 300) less accurate"
    )


def with_latency(row: BenchRow, rounds: tuple[Round, ...], *, accuracy: Accuracy) -> BenchRow:
    p50 = median_estimate([measured.p50_us for measured in rounds])
    latency = dataclasses.replace(row.latency_us, p50=p50)
    return dataclasses.replace(row, rounds=rounds, latency_us=latency, accuracy=accuracy)


def test_nearest_is_named_where_nothing_fits(result: BenchResult) -> None:
    found = recommend_within(result, ShipLimits(max_drop=0.01, max_latency_us=250))
    assert found.ship is None
    assert found.nearest == "mnist_int8.tflite"
    assert found.sentence == "No file is within the limits; the nearest is mnist_int8.tflite: 291 µs, 250 µs allowed."
    # A file that the target cannot run is not near, however fast it is.
    found = recommend_within(result, ShipLimits(max_latency_us=250, unfit={"mnist_int8.tflite": "not there"}))
    assert found.nearest == "mnist_dynamic.tflite"


def test_limits_that_only_just_hold_are_said(result: BenchResult) -> None:
    p50 = result.row("mnist_int8.tflite").latency_us.p50
    (caution,) = recommend_within(result, ShipLimits(max_latency_us=(p50.value + p50.high) / 2)).cautions
    assert "interval of its median reaches" in caution
    (caution,) = recommend_within(result, ShipLimits(max_latency_us=p50.high * 1.1)).cautions
    assert "one image in a hundred" in caution
    assert recommend_within(result, ShipLimits(max_latency_us=1e6)).cautions == ()


def test_without_accuracy_speed_and_size_decide(result: BenchResult) -> None:
    rows = tuple(dataclasses.replace(row, accuracy=None) for row in result.rows)
    found = recommend_within(dataclasses.replace(result, rows=rows, keras_accuracy=None), ShipLimits())
    assert found.ship == "mnist_int8.tflite"
    assert found.cautions[0].startswith("No accuracy was measured")


def test_undominated_files_are_best_in_something(result: BenchResult) -> None:
    files = [row for row in result.rows if row.is_file]
    front = [row.label for row in undominated(files)]
    assert front == ["int8.tflite", "dynamic.tflite", "float32.tflite"]
