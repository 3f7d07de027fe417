"""Rounds of jobs that measure nothing: who gets a turn, when it ends, and what is left after a failure."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgecnn_benchmarks.measuring import rounds as rounds_module
from edgecnn_benchmarks.measuring.rounds import MIN_ROUNDS, ROUND_SECS, WARMUP_SECS, Job, Rounds, sweep
from edgecnn_benchmarks.process.worker_process import WorkerError
from edgecnn_benchmarks.settings import BenchSettings

HERE = Path("here")
# Of a turn of the fake jobs, by the fake clock.
SECONDS = 2.0


class Clock:
    """Stands in for `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rounds_module, "time", clock)
    return clock


@dataclass
class FakeCandidate:
    """A model that takes the microseconds of `latencies` one after the other; None where the process fails."""

    name: str
    clock: Clock
    latencies: Iterator[float | None]
    asked: list[dict[str, Any]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    is_keras: bool = False

    @property
    def label(self) -> str:
        return self.name.removeprefix("mnist_")

    def start_worker(self, settings: BenchSettings, *, threads: int, scratch: Path) -> "FakeCandidate":
        assert scratch == HERE
        self.threads.append(threads)
        self.facts = SimpleNamespace(load_s=0.25)
        return self

    def __enter__(self) -> "FakeCandidate":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        assert do == "measure"
        self.asked.append(options)
        self.clock.now += SECONDS
        latency = next(self.latencies)
        if latency is None:
            raise WorkerError("it crashed")
        return {"latencies_ns": [int(1000 * latency)] * 4, "first_ns": 5000}


def steady(name: str, clock: Clock, us: float = 100) -> FakeCandidate:
    return FakeCandidate(name, clock, itertools.repeat(us))


def jobs(*candidates: FakeCandidate) -> list[Job]:
    return [Job(candidate, HERE / "images.npy") for candidate in candidates]  # type: ignore[arg-type]


def measured(
    candidates: Sequence[FakeCandidate], settings: BenchSettings, report: Callable[[float, str], None] | None = None
) -> Rounds:
    made = Rounds(jobs(*candidates), reference=candidates[0].name, settings=settings, scratch=HERE)
    made.measure(report or (lambda share, text: None))
    return made


def test_a_sweep_has_the_first_of_both_first(clock: Clock) -> None:
    candidate = steady("m", clock)
    settings = BenchSettings(threads=(2, 1), batch=(1, 8))
    made = sweep(candidate, HERE, settings)  # type: ignore[arg-type]
    assert [(job.name, job.threads, job.batch) for job in made] == [
        ("m", 2, 1),
        ("m t1", 1, 1),
        ("m b8", 2, 8),
        ("m t1 b8", 1, 8),
    ]
    assert made[1].label == "m t1"
    candidate.is_keras = True
    assert [(job.name, job.threads, job.batch) for job in sweep(candidate, HERE, settings)] == [("m", 2, 1)]  # type: ignore[arg-type]


def test_every_row_has_its_turn_in_each_round_in_an_order_by_the_seed(clock: Clock) -> None:
    names = ["a", "b", "c", "d"]

    def order(seed: int) -> list[list[str]]:
        said: list[str] = []
        found = measured(
            [steady(f"mnist_{name}", clock) for name in names],
            BenchSettings(rounds=3, seed=seed),
            lambda share, text: said.append(text),
        )
        assert [len(turns) for turns in found.turns.values()] == [3] * 4
        assert [text.split(", ")[0] for text in said] == [f"round {number}" for number in (1, 2, 3) for _ in names]
        turns = [text.split(", ")[1] for text in said]
        return [turns[start : start + 4] for start in (0, 4, 8)]

    first = order(0)
    assert all(sorted(turns) == names for turns in first)
    assert order(0) == first != order(1)
    assert len({tuple(turns) for turns in first}) > 1


def test_what_a_worker_is_asked(clock: Clock) -> None:
    candidate = steady("m", clock)
    job = Job(candidate, HERE / "images.npy", threads=3, batch=8, variant=" t3 b8")  # type: ignore[arg-type]
    settings = BenchSettings(rounds=1, warmup=7, runs=11, max_secs=12, timeout=60)
    made = Rounds([job], reference="m", settings=settings, scratch=HERE)
    made.measure(lambda share, text: None)
    assert candidate.threads == [3]
    assert candidate.asked == [
        {
            "images": "here/images.npy",
            "batch": 8,
            "warmup": 7,
            "warmup_secs": WARMUP_SECS,
            "runs": 11,
            "secs": ROUND_SECS,
            "limit_secs": 12 / MIN_ROUNDS,
        }
    ]
    (turn,) = made.turns["m t3 b8"]
    figures = turn.round
    assert (figures.p50_us, figures.batch, figures.load_s, figures.first_us, figures.runs) == (100, 8, 0.25, 5, 4)


def test_a_turn_is_limited_so_that_the_least_rounds_fit(clock: Clock) -> None:
    both = [steady("a", clock), steady("b", clock)]
    measured(both, BenchSettings(rounds=1, max_secs=12, timeout=60))
    assert both[0].asked[0]["limit_secs"] == 12 / MIN_ROUNDS / 2
    measured(both, BenchSettings(rounds=1, max_secs=1e6, timeout=60))
    assert both[0].asked[1]["limit_secs"] == 20


def test_a_row_that_fails_is_out_and_the_others_go_on(clock: Clock) -> None:
    broken = FakeCandidate("broken", clock, iter([100.0, None]))
    good = steady("good", clock)
    found = measured([good, broken], BenchSettings(rounds=4))
    assert {name: str(error) for name, error in found.failures.items()} == {"broken": "it crashed"}
    assert {name: len(turns) for name, turns in found.turns.items()} == {"good": 4}
    assert len(broken.asked) == 2


def test_no_round_is_tried_where_all_rows_fail(clock: Clock) -> None:
    both = [FakeCandidate(name, clock, iter([None])) for name in "ab"]
    found = measured(both, BenchSettings())
    assert found.turns == {}
    assert not found.precise
    assert sorted(found.failures) == ["a", "b"]


def test_only_rounds_that_all_rows_finished_count(clock: Clock) -> None:
    """As after Ctrl-C in the middle of a round."""
    interrupted = FakeCandidate("b", clock, iter([100.0, 100.0]))
    made = Rounds(jobs(steady("a", clock), interrupted), reference="a", settings=BenchSettings(rounds=9), scratch=HERE)
    with pytest.raises(StopIteration):
        made.measure(lambda share, text: None)
    assert {len(turns) for turns in made.turns.values()} == {2}
    fresh = Rounds(jobs(steady("a", clock)), reference="a", settings=BenchSettings(), scratch=HERE)
    assert fresh.turns == {}


@pytest.mark.parametrize(
    ("max_secs", "expected"),
    [
        (1.0, 3),  # the least
        (39.0, 9),  # a tenth round of two turns of 2 s would end at 40 s
        (40.0, 10),
    ],
)
def test_rounds_end_where_the_next_would_not_fit(clock: Clock, max_secs: float, expected: int) -> None:
    both = [steady("a", clock), steady("b", clock)]
    found = measured(both, BenchSettings(rounds=100, max_secs=max_secs))
    assert len(found.turns["a"]) == expected


def test_rounds_end_as_soon_as_every_interval_is_narrow(clock: Clock) -> None:
    """100 and 110 in turns are known within 4.8 %; both rows waver together, so that their ratio is steady."""
    for precision, rounds in ((0.05, 6), (0.04, 20)):
        both = [FakeCandidate(name, clock, itertools.cycle([100.0, 110.0])) for name in "ab"]
        assert len(measured(both, BenchSettings(precision=precision, max_secs=80)).turns["a"]) == rounds
    assert len(measured([steady("a", clock), steady("b", clock, 30)], BenchSettings(rounds=8)).turns["a"]) == 8


def test_a_ratio_that_is_not_known_well_goes_on(clock: Clock) -> None:
    """Each latency is known within 4.8 %, their ratio, since they waver against each other, only within 10 %."""
    both = [
        FakeCandidate(name, clock, itertools.cycle(us)) for name, us in (("a", [100.0, 110.0]), ("b", [110.0, 100.0]))
    ]
    found = measured(both, BenchSettings(precision=0.06, max_secs=80))
    assert len(found.turns["a"]) == 20
    alone = Rounds(jobs(*both), reference="absent", settings=BenchSettings(precision=0.06, max_secs=80), scratch=HERE)
    alone.measure(lambda share, text: None)
    assert len(alone.turns["a"]) == 6


def test_the_share_done_goes_by_rounds_and_by_time(clock: Clock) -> None:
    shares: list[float] = []
    both = [steady("a", clock), steady("b", clock)]
    measured(both, BenchSettings(rounds=4, max_secs=1e6), lambda share, text: shares.append(round(share, 3)))
    assert shares == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
    shares.clear()
    measured(both, BenchSettings(precision=1e-9, max_secs=16), lambda share, text: shares.append(round(share, 3)))
    # Equal latencies have no width; the limit of time is what ends it otherwise.
    assert shares == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, *[1.0] * (len(shares) - 8)]
