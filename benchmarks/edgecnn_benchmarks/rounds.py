"""Latency in rounds: in each, every model gets its turn in a fresh process, in random order.

What disturbs a shared machine comes and goes within seconds; models that take turns meet the same disturbance,
and their ratio within a round hardly feels it. The process is fresh each time because the place where the
loader happens to put code and weights moves a latency by up to 1 %, for as long as the process lives: two
processes of the same file differ by that, however long they are measured, and it averages out over many starts.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.candidates import Candidate
from edgecnn_benchmarks.intervals import Estimate, median_estimate
from edgecnn_benchmarks.settings import Settings
from edgecnn_benchmarks.worker_process import WorkerError, WorkerProcess

# A round lasts so long at least: enough runs for its 99th percentile where an inference takes a millisecond.
ROUND_SECS = 0.2
WARMUP_SECS = 0.05
# Rounds that are measured even where `max_secs` is over.
MIN_ROUNDS = 3

# Called with the share done, 0…1, and what is being done.
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Round:
    """One model's turn: percentiles of its latency in microseconds, and its rate."""

    p50_us: float
    p90_us: float
    p99_us: float
    images_per_s: float
    runs: int

    @classmethod
    def of(cls, latencies_ns: Sequence[int]) -> "Round":
        """Sum up the latencies of one turn.

        >>> Round.of([1000, 2000, 3000])
        Round(p50_us=2.0, p90_us=2.8, p99_us=2.98, images_per_s=500000.0, runs=3)
        """
        p50, p90, p99 = (float(value) / 1000 for value in np.percentile(latencies_ns, (50, 90, 99)))
        return cls(p50, p90, p99, len(latencies_ns) / sum(latencies_ns) * 1e9, len(latencies_ns))


def speedup(rounds: Sequence[Round], reference: Sequence[Round]) -> Estimate:
    """Tell how many times as fast a model is as another that was measured in the same rounds: above 1, faster."""
    return median_estimate([theirs.p50_us / own.p50_us for own, theirs in zip(rounds, reference, strict=True)])


@dataclass(frozen=True)
class Job:
    """A model to be timed, and the .npy file with the images it is given in turn."""

    candidate: Candidate
    images: Path


def measure_rounds(
    jobs: Sequence[Job], *, settings: Settings, scratch: Path, report: Report
) -> tuple[dict[str, list[Round]], dict[str, WorkerError]]:
    """Time all models, `settings.rounds` rounds or as many as `settings.max_secs` allows.

    Returns:
        the rounds of each model that was measured to the end, all of the same number, by its name; and why the
        others were not. A model that fails in one round is out.
    """
    order = random.Random(settings.seed)
    rounds: dict[str, list[Round]] = {job.candidate.name: [] for job in jobs}
    failures: dict[str, WorkerError] = {}
    started = time.monotonic()
    for number in range(settings.rounds):
        share = (time.monotonic() - started) / settings.max_secs
        if number >= MIN_ROUNDS and share * (number + 1) / number > 1:
            break
        turns = [job for job in jobs if job.candidate.name not in failures]
        for job in order.sample(turns, len(turns)):
            name = job.candidate.name
            report(max(number / settings.rounds, min(1, share)), f"round {number + 1}, {job.candidate.label}")
            try:
                rounds[name].append(_measure(job, models=len(jobs), settings=settings, scratch=scratch))
            except WorkerError as error:
                failures[name] = error
    return {name: measured for name, measured in rounds.items() if name not in failures}, failures


def _measure(job: Job, *, models: int, settings: Settings, scratch: Path) -> Round:
    # So that the least number of rounds fits into the time given, and no long round is taken for a hanging one.
    limit = min(settings.max_secs / MIN_ROUNDS / models, settings.timeout / 3)
    with WorkerProcess(
        job.candidate.path,
        threads=settings.threads,
        timeout=settings.timeout,
        folder=scratch,
        opening=settings.opening,
    ) as worker:
        answer = worker.ask(
            "measure",
            images=str(job.images),
            warmup=settings.warmup,
            warmup_secs=WARMUP_SECS,
            runs=settings.runs,
            secs=ROUND_SECS,
            limit_secs=limit,
        )
    return Round.of(answer["latencies_ns"])
