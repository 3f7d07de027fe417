import dataclasses

import pytest
from tiny_rows import row

from edgecnn_benchmarks.judging.verdict import notes, recommend, verdict
from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.measuring.timing import Round, speedup
from edgecnn_benchmarks.report.scatter import pareto_front
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate

FLOAT = row("float", us=300, correct=980, size=4000)
INT8 = row("int8", us=100, correct=975, reference=FLOAT)
HASTY = row("hasty", us=50, correct=900, reference=FLOAT)
TWIN = row("twin", us=100, correct=970, size=900, jitter="odd", reference=FLOAT)
UNKNOWN = row("unknown", us=10, correct=None, reference=FLOAT)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([FLOAT, INT8, HASTY], "int8"),  # the fastest is 8 points behind
        ([FLOAT, INT8, TWIN], "twin"),  # as fast and smaller
        ([FLOAT, UNKNOWN], "float"),  # nobody knows how good
        ([UNKNOWN, dataclasses.replace(FLOAT, accuracy=None)], "unknown"),
        ([row("a", us=10, correct=970), row("b", us=20, correct=980)], "a"),  # exactly one point
        ([row("a", us=10, correct=969), row("b", us=20, correct=980)], "b"),
    ],
)
def test_fastest_within_one_point_is_recommended(rows: list[BenchRow], expected: str) -> None:
    assert recommend(rows).name == expected
    assert recommend(rows[::-1]).name == expected


@pytest.mark.parametrize(
    ("rows", "ship", "expected"),
    [
        (
            [FLOAT, INT8],
            INT8,
            "Ship int8 with LiteRT: 2.97× as fast as float (102 µs against 302 µs per image), 4.00× smaller "
            "(1.00 kB) and 97.50 % accurate, 0.50 points (5 images of 1,000) below the best.",
        ),
        (
            [FLOAT, HASTY],
            FLOAT,
            "Ship float with LiteRT: 302 µs per image, 4.00 kB and 98.00 % accurate, as good as any.",
        ),
        (
            [FLOAT, UNKNOWN],
            UNKNOWN,
            "Ship unknown with LiteRT: 26.3× as fast as float (11.5 µs against 302 µs per image), 4.00× smaller "
            "(1.00 kB) and of unknown accuracy, for want of labelled images.",
        ),
    ],
)
def test_verdict_names_the_file_and_the_reasons(rows: list[BenchRow], ship: BenchRow, expected: str) -> None:
    assert verdict(rows, ship, FLOAT) == expected


def test_verdict_of_equally_fast_and_larger() -> None:
    reference = row("a", us=100, correct=980)
    other = row("b", us=100, correct=980, size=2000, jitter="odd", reference=reference)
    assert verdict([reference, other], other, reference).startswith(
        "Ship b with LiteRT: cannot be told apart in speed from a (102 µs against 102 µs per image), 2.00× larger"
    )


def test_notes_say_what_is_not_shown() -> None:
    same = row("same", us=300, correct=980, jitter="odd", reference=FLOAT)
    machine = dataclasses.replace(describe_machine(), available_cpus=2, load_average=(1.9, 1.0, 1.0))
    said = notes([FLOAT, same, INT8], settings=BenchSettings(rounds=12), machine=machine)
    assert [note.split(":")[0] for note in said] == [
        "Only 8 of 12 rounds fitted into 60 s; a larger --max-secs gives narrower intervals.",
        "The machine was busy when the benchmark began (load average 1.90 on 2 processors)",
    ]
    calm = dataclasses.replace(machine, load_average=(0.1, 0.1, 0.1))
    assert notes([FLOAT, INT8], settings=BenchSettings(rounds=8), machine=calm) == ()


def test_the_keras_model_is_not_shipped_however_fast_it_is() -> None:
    keras = dataclasses.replace(row("keras call", us=10, correct=990), backend="keras call")
    assert recommend([keras, FLOAT, INT8]).name == "int8"
    assert recommend([keras]).name == "keras call"


CALM = dataclasses.replace(describe_machine(), available_cpus=2, load_average=None)


def test_few_rounds_are_said_to_be_few() -> None:
    few, enough = (dataclasses.replace(FLOAT, rounds=FLOAT.rounds[:rounds]) for rounds in (5, 6))
    (note,) = notes([few], settings=BenchSettings(rounds=5), machine=CALM)
    assert note.startswith("5 rounds are too few for a 95 % interval")
    assert "At least 6 are needed" in note
    assert notes([enough], settings=BenchSettings(rounds=6), machine=CALM) == ()


@pytest.mark.parametrize(("load", "busy"), [(1.4, False), (1.5, True)])
def test_a_machine_is_busy_by_its_load_per_processor(load: float, busy: bool) -> None:
    machine = dataclasses.replace(CALM, load_average=(load, 0.0, 0.0))
    assert bool(notes([FLOAT], settings=BenchSettings(rounds=8), machine=machine)) is busy


def test_what_is_not_as_precise_as_asked_is_named_with_its_widest_interval() -> None:
    """Its ratio is known less well than its latency."""
    unsteady = dataclasses.replace(row("unsteady", us=100, correct=975), speedup=Estimate(3.0, 2.7, 3.3))
    (note,) = notes([FLOAT, INT8, unsteady], settings=BenchSettings(precision=0.05), machine=CALM)
    assert note.startswith(
        "60 s did not suffice to know every median and ratio within ± 5 %: that of unsteady is known within ± 10.0 % "
        "after 8 rounds."
    )
    assert notes([FLOAT, INT8, unsteady], settings=BenchSettings(precision=0.11), machine=CALM) == ()


@pytest.mark.parametrize("settings", [BenchSettings(rounds=12), BenchSettings(precision=0.0001)])
def test_an_interrupted_benchmark_does_not_blame_the_time_it_was_given(settings: BenchSettings) -> None:
    assert notes([FLOAT], settings=settings, machine=CALM)
    assert notes([FLOAT], settings=settings, machine=CALM, whole=False) == ()


def test_threads_are_recommended_by_rows_of_the_first_batch() -> None:
    one = dataclasses.replace(INT8, batch=2)
    two = dataclasses.replace(row("int8 t2", us=50, correct=975), batch=2, threads=2, candidate="int8")
    # Batch 1, which was asked for after batch 2, is slower on two threads.
    small = dataclasses.replace(row("int8 t2 b1", us=10, correct=975), threads=4, candidate="int8")
    (note,) = notes([one, two, small], settings=BenchSettings(rounds=8, batch=(2, 1), threads=(1, 2)), machine=CALM)
    assert note.startswith("int8: --threads 2 serves it best, 1.9")


def test_shared_disturbance_leaves_the_ratio_alone() -> None:
    slower = [Round(measured.p50_us * 2, 1, 1, 1, 1, 1) for measured in FLOAT.rounds]
    assert speedup(slower, FLOAT.rounds) == Estimate(0.5, 0.5, 0.5)


def test_pareto_front_is_faster_or_more_accurate() -> None:
    beaten = row("beaten", us=200, correct=974)
    assert [member.name for member in pareto_front([FLOAT, beaten, INT8, HASTY, UNKNOWN])] == ["hasty", "int8", "float"]
