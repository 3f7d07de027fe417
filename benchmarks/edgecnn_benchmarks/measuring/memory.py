"""Memory: what a fresh process of each model holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.measuring.rounds import Job, ReportRound
from edgecnn_benchmarks.process.worker_process import WorkerError
from edgecnn_benchmarks.settings import BenchSettings

# Single predictions before the memory is read.
PREDICTIONS = 100


@dataclass(frozen=True)
class Memory:
    """Resident bytes of a process that does nothing else; None where the system does not report it."""

    steady: int | None
    peak: int | None


class Memories:
    """Reads the memory of a fresh process of each model; what was measured can be read at any time."""

    def __init__(self, jobs: Sequence[Job], *, settings: BenchSettings, scratch: Path) -> None:
        self._jobs = jobs
        self._settings, self._scratch = settings, scratch
        self.memories: dict[str, Memory] = {}
        self.failures: dict[str, WorkerError] = {}

    def measure(self, report: ReportRound) -> None:
        """Let each model classify `PREDICTIONS` images, one at a time, and read its memory."""
        for index, job in enumerate(self._jobs):
            report(index / len(self._jobs), f"memory, {job.label}")
            try:
                with job.start_worker(self._settings, scratch=self._scratch) as worker:
                    answer = worker.ask("memory", images=str(job.images), predictions=PREDICTIONS)
            except WorkerError as error:
                self.failures[job.name] = error
            else:
                self.memories[job.name] = Memory(answer["steady_bytes"], answer["peak_bytes"])
