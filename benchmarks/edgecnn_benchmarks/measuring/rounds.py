"""Latency in rounds: in each, every row gets its turn in a fresh process, in random order.

What disturbs a shared machine comes and goes within seconds; models that take turns meet the same disturbance,
and their ratio within a round hardly feels it. The process is fresh each time because the place where the
loader happens to put code and weights moves a latency by up to 1 %, for as long as the process lives: two
processes of the same file differ by that, however long they are measured, and it averages out over many starts.

That is also why a round is short: a longer one scatters hardly less, and fewer of them fit into the same time, so that
the interval is wider (`benchmarks/peers/round_length.py` measures it).
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.measuring.candidates import Candidate
from edgecnn_benchmarks.measuring.timing import Turn, speedup, sum_up
from edgecnn_benchmarks.process.worker_process import WorkerError, WorkerProcess
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import MIN_ROUNDS_FOR_95, median_estimate

# A round lasts so long at least: enough runs for its 99th percentile where an inference takes a millisecond.
ROUND_SECS = 0.2
# A warm-up lasts so long at least, and goes on until the latency is stable, a second at most.
WARMUP_SECS = 0.05
# Rounds that are measured even where `max_secs` is over.
MIN_ROUNDS = 3

# Called with the share done, 0…1, and what is being done.
ReportRound = Callable[[float, str], None]


@dataclass(frozen=True)
class Job:
    """A row to be: a model at a number of threads and a batch, and the .npy file with the images it is given."""

    candidate: Candidate
    images: Path
    threads: int = 1
    batch: int = 1
    # What a sweep adds to the names of the candidate: " t2 b8".
    variant: str = ""

    @property
    def name(self) -> str:
        """The name of the row."""
        return self.candidate.name + self.variant

    @property
    def label(self) -> str:
        """The label of the row."""
        return self.candidate.label + self.variant

    def start_worker(self, settings: BenchSettings, *, scratch: Path) -> WorkerProcess:
        """Start the process that measures the row; errors as those of `Candidate.start_worker`."""
        return self.candidate.start_worker(settings, threads=self.threads, scratch=scratch)


def sweep(candidate: Candidate, images: Path, settings: BenchSettings) -> list[Job]:
    """Make the rows of one model: each number of threads with each batch, the first of both first.

    The Keras model has one row: starting TensorFlow takes seconds per round.
    """
    if candidate.is_keras:
        return [Job(candidate, images, settings.threads[0], settings.batch[0])]
    return [
        Job(
            candidate,
            images,
            threads,
            batch,
            variant=(f" t{threads}" if threads != settings.threads[0] else "")
            + (f" b{batch}" if batch != settings.batch[0] else ""),
        )
        for batch in settings.batch
        for threads in settings.threads
    ]


class Rounds:
    """Times all jobs, round by round; what was measured can be read at any time, also after an interrupt."""

    def __init__(self, jobs: Sequence[Job], *, reference: str, settings: BenchSettings, scratch: Path) -> None:
        """Get ready.

        Args:
            jobs: the rows.
            reference: the name of the one that the ratios are taken to.
            settings: how to measure.
            scratch: an empty working folder for the processes.
        """
        self.jobs = jobs
        self._reference = reference
        self._settings, self._scratch = settings, scratch
        self._turns: dict[str, list[Turn]] = {job.name: [] for job in jobs}
        # Why a row was not measured to the end; one that fails in one round is out.
        self.failures: dict[str, WorkerError] = {}

    @property
    def turns(self) -> dict[str, list[Turn]]:
        """The turns of each row that did not fail, by its name, of all rounds that were finished."""
        alive = {name: turns for name, turns in self._turns.items() if name not in self.failures}
        finished = min((len(turns) for turns in alive.values()), default=0)
        return {name: turns[:finished] for name, turns in alive.items()} if finished else {}

    @property
    def precise(self) -> bool:
        """Whether every median, and every ratio to the reference, is known within `settings.precision`."""
        rounds = {name: [turn.round for turn in turns] for name, turns in self.turns.items()}
        if not rounds or len(next(iter(rounds.values()))) < MIN_ROUNDS_FOR_95:
            return False
        reference = rounds.get(self._reference)
        estimates = [median_estimate([measured.p50_us for measured in mine]) for mine in rounds.values()]
        if reference is not None:
            estimates += [speedup(mine, reference) for mine in rounds.values()]
        return all(estimate.half_width <= self._settings.precision for estimate in estimates)

    def measure(self, report: ReportRound) -> None:
        """Time all jobs, `settings.rounds` rounds or until they are `precise`, or as `settings.max_secs` allows."""
        settings, order = self._settings, random.Random(self._settings.seed)
        started, number = time.monotonic(), 0
        while settings.rounds is None or number < settings.rounds:
            share = (time.monotonic() - started) / settings.max_secs
            if number >= MIN_ROUNDS and share * (number + 1) / number > 1:
                return
            if settings.rounds is None and self.precise:
                return
            for turn, job in enumerate(order.sample(self.jobs, len(self.jobs))):
                if job.name in self.failures:
                    continue
                done = 0.0 if settings.rounds is None else (number + turn / len(self.jobs)) / settings.rounds
                spent = (time.monotonic() - started) / max(settings.max_secs, 1e-9)
                report(min(1.0, max(done, spent)), f"round {number + 1}, {job.label}")
                try:
                    self._turns[job.name].append(self._measure_turn(job))
                except WorkerError as error:
                    self.failures[job.name] = error
            if not self.turns:
                return
            number += 1

    def _measure_turn(self, job: Job) -> Turn:
        settings = self._settings
        # So that the least number of rounds fits into the time given, and no long round is taken for a hanging one.
        limit = min(settings.max_secs / MIN_ROUNDS / len(self.jobs), settings.timeout / 3)
        with job.start_worker(settings, scratch=self._scratch) as worker:
            answer = worker.ask(
                "measure",
                images=str(job.images),
                batch=job.batch,
                warmup=settings.warmup,
                warmup_secs=WARMUP_SECS,
                runs=settings.runs,
                secs=ROUND_SECS,
                limit_secs=limit,
            )
        return sum_up(**answer, batch=job.batch, load_s=worker.facts.load_s)
