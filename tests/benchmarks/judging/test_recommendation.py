import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from made_bench import made_result

from edgecnn_benchmarks.judging.recommendation import ShipLimits, recommend_within, undominated
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.measuring.timing import Round, RowLatency
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
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
        # Met exactly.
        (ShipLimits(max_size_bytes=1_210_432), "int8.tflite", None),
        (ShipLimits(max_size_bytes=1_210_431), None, None),
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


def changed(result: BenchResult, **fields: Mapping[str, Any]) -> BenchResult:
    """Replace fields of the rows with these names, less `mnist_` and the dots."""
    rows = tuple(dataclasses.replace(row, **fields.get(row.label.replace(".", "_"), {})) for row in result.rows)
    return dataclasses.replace(result, rows=rows)


def test_a_drop_that_is_just_allowed_is_allowed(result: BenchResult) -> None:
    """0.99 - 0.98 is a little more than 0.01 in floating point."""
    exact = changed(
        dataclasses.replace(result, keras_accuracy=Accuracy(990, 1000)),
        **{row.label.replace(".", "_"): {"accuracy": Accuracy(980, 1000)} for row in result.rows},
    )
    assert recommend_within(exact, ShipLimits(max_drop=0.01)).ship == "mnist_int8.tflite"
    found = recommend_within(exact, ShipLimits(max_drop=0.0099))
    assert found.ship is None
    # The best is the Keras model; no file comes near it.
    (reason,) = {other.reason for other in found.others}
    assert reason.startswith("1.00 points ")
    assert reason.endswith(" less accurate than the best, 0.99 allowed")


def test_a_file_of_unknown_accuracy_is_not_within_limits_of_accuracy(result: BenchResult) -> None:
    found = recommend_within(changed(result, int8_tflite={"accuracy": None}), ShipLimits())
    assert found.ship == "mnist_dynamic.tflite"
    assert {other.name: other.reason for other in found.others}["mnist_int8.tflite"] == "its accuracy is not known"


def test_nearest_is_what_misses_least_in_all(result: BenchResult) -> None:
    """Twice the size and as slow as allowed is nearer than 1.6 times of both."""
    latency = result.row("mnist_int8.tflite").latency_us.p50.value
    both, one = (dataclasses.replace(result.row("mnist_int8.tflite"), name=name, candidate=name) for name in "ab")
    both = dataclasses.replace(both, size_bytes=1_600_000, latency_us=times_longer(both.latency_us, 1.6))
    one = dataclasses.replace(one, size_bytes=2_000_000)
    limits = ShipLimits(max_size_bytes=1e6, max_latency_us=latency)
    assert recommend_within(dataclasses.replace(result, rows=(both, one)), limits).nearest == "b"


def times_longer(latency: RowLatency, factor: float) -> RowLatency:
    p50 = Estimate(*(factor * value for value in dataclasses.astuple(latency.p50)))
    return dataclasses.replace(latency, p50=p50)


def test_what_the_target_cannot_run_goes_by_the_name_of_the_file(result: BenchResult) -> None:
    """A row may have another name: the file in a second engine."""
    name = "mnist_int8.tflite (OpenVINO)"
    in_engine = changed(result, int8_tflite={"name": name, "candidate": name})
    found = recommend_within(in_engine, ShipLimits(unfit={"mnist_int8.tflite": "no"}))
    assert found.ship == "mnist_dynamic.tflite"
    assert {other.name: other.reason for other in found.others}[name] == "no"


def test_the_sentence_says_among_what_it_was_chosen(result: BenchResult) -> None:
    for limits, chosen in (
        (ShipLimits(), "the fastest file within the limits"),
        (ShipLimits(max_latency_us=300), "the only file within the limits"),
    ):
        sentence = recommend_within(result, limits).sentence
        assert sentence.startswith(f"Ship mnist_int8.tflite with LiteRT, {chosen}: ")
    assert ", as good as any." in recommend_within(result, ShipLimits(max_drop=0)).sentence
    assert " below the best." in recommend_within(result, ShipLimits()).sentence
    unknown = dataclasses.replace(
        changed(result, **{row.label.replace(".", "_"): {"accuracy": None} for row in result.rows}), keras_accuracy=None
    )
    assert ", the fastest file: " in recommend_within(unknown, ShipLimits()).sentence


def test_an_interrupted_benchmark_is_said(result: BenchResult) -> None:
    partial = dataclasses.replace(result, partial="Interrupted after 3 rounds.")
    assert recommend_within(partial, ShipLimits()).cautions == ("Interrupted after 3 rounds.",)
