"""Memory and file size: what a fresh process of each model holds, and how small its file travels."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.measuring.rounds import Job, ReportRound
from edgecnn_benchmarks.process.worker_process import WorkerError, WorkerProcess
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.model_formats import model_parts

# Single predictions before the memory is read.
PREDICTIONS = 100
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Memory:
    """Resident bytes of a process that does nothing else; None where the system does not tell."""

    steady: int | None
    peak: int | None


class Memories:
    """Reads the memory of a fresh process of each model; what was measured stands in it at any time."""

    def __init__(self, jobs: Sequence[Job], *, settings: BenchSettings, scratch: Path) -> None:
        self._jobs, self._settings, self._scratch = jobs, settings, scratch
        self.memories: dict[str, Memory] = {}
        self.failures: dict[str, WorkerError] = {}

    def measure(self, report: ReportRound) -> None:
        """Let each model classify `PREDICTIONS` images, one at a time, and read its memory."""
        for index, job in enumerate(self._jobs):
            report(index / len(self._jobs), f"memory, {job.label}")
            try:
                with WorkerProcess(
                    job.candidate.path,
                    threads=job.threads,
                    timeout=self._settings.timeout,
                    folder=self._scratch,
                    opening=self._settings.opening,
                    command=job.candidate.worker,
                ) as worker:
                    answer = worker.ask("memory", images=str(job.images), predictions=PREDICTIONS)
            except WorkerError as error:
                self.failures[job.name] = error
            else:
                self.memories[job.name] = Memory(answer["steady_bytes"], answer["peak_bytes"])


def gzip_bytes(path: Path) -> int:
    """Tell how large a model is as gzip packs it (level 6), read piece by piece."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    size = 0
    for part in model_parts(path):
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(packer.compress(chunk))
    return size + len(packer.flush())
