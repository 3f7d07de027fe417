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


def test_few_rounds_are_said_to_be_few() -> None:
    few = dataclasses.replace(FLOAT, rounds=FLOAT.rounds[:3])
    calm = dataclasses.replace(describe_machine(), available_cpus=2, load_average=None)
    (note,) = notes([few], settings=BenchSettings(rounds=3), machine=calm)
    assert "At least 6 are needed" in note


def test_shared_disturbance_leaves_the_ratio_alone() -> None:
    slower = [Round(measured.p50_us * 2, 1, 1, 1, 1, 1) for measured in FLOAT.rounds]
    assert speedup(slower, FLOAT.rounds) == Estimate(0.5, 0.5, 0.5)


def test_pareto_front_is_faster_or_more_accurate() -> None:
    beaten = row("beaten", us=200, correct=974)
    assert [member.name for member in pareto_front([FLOAT, beaten, INT8, HASTY, UNKNOWN])] == ["hasty", "int8", "float"]
