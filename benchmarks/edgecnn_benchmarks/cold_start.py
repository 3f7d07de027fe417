"""Cold start: from starting a process to its first answer, Python and all imports included."""

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.rounds import Job, Report
from edgecnn_benchmarks.settings import Settings
from edgecnn_benchmarks.worker_process import WorkerError
from edgecnn_runtime.process_end import describe_end

# The smallest program that classifies an image file.
PROGRAM = """\
import sys
from edgecnn_runtime import Classifier
print(Classifier.open(sys.argv[1], threads=int(sys.argv[2])).predict(sys.argv[3]).label, flush=True)
"""

# The same for a model that does not say everything about itself.
STRANGER = """\
import json, pathlib, sys
from edgecnn_runtime import Classifier
from edgecnn_runtime.opening import Opening
opening = Opening.from_document(json.loads(sys.argv[4]))
classifier = Classifier.open_as(pathlib.Path(sys.argv[1]), opening, threads=int(sys.argv[2]))
print(classifier.predict(sys.argv[3]).label, flush=True)
"""


def measure_cold_starts(
    jobs: Sequence[Job], *, settings: Settings, scratch: Path, report: Report
) -> tuple[dict[str, list[float]], dict[str, WorkerError]]:
    """Start every model `settings.starts` times in random order, each in a process that classifies one PNG file.

    One more start goes before and is not counted: it fills the file cache.

    Returns:
        the seconds of each start, by the model's name; and why the others were not measured.
    """
    order = random.Random(settings.seed)
    seconds: dict[str, list[float]] = {job.candidate.name: [] for job in jobs}
    failures: dict[str, WorkerError] = {}
    pictures = {job.images: _save_png(job.images) for job in jobs}
    for number in range(1 + settings.starts):
        turns = [job for job in jobs if job.candidate.name not in failures]
        for job in order.sample(turns, len(turns)):
            name = job.candidate.name
            report(number / (1 + settings.starts), f"cold start {number + 1}, {job.candidate.label}")
            arguments = [str(job.candidate.path.resolve()), str(settings.threads), str(pictures[job.images])]
            program = PROGRAM
            if settings.opening != Settings().opening:
                program = STRANGER
                arguments.append(json.dumps(settings.opening.to_document()))
            try:
                took = start_to_first_line(
                    [sys.executable, "-c", program, *arguments], timeout=settings.timeout, folder=scratch
                )
            except WorkerError as error:
                failures[name] = error
            else:
                seconds[name] += [took] if number else []
    return {name: measured for name, measured in seconds.items() if name not in failures}, failures


def start_to_first_line(command: Sequence[str], *, timeout: float, folder: Path) -> float:
    """Start a process and return the seconds until the first line of its output.

    Raises:
        WorkerError: it ended without one, or took longer than `timeout` seconds.
    """
    with tempfile.TemporaryFile() as stderr:
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, cwd=folder) as process:
            guard = threading.Timer(timeout, process.kill)
            guard.start()
            try:
                assert process.stdout is not None  # asked for in Popen
                line = process.stdout.readline()
                took = time.perf_counter() - started
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            finally:
                guard.cancel()
        if took >= timeout:
            raise WorkerError(f"no answer within {timeout:g} s of a cold start; stopped")
        if not line or code:
            raise WorkerError(f"{describe_end(code, stderr)} (in a cold start)")
    return took


def _save_png(images: Path) -> Path:
    """Save the first image of a .npy file beside it as PNG, of the size the model takes."""
    from PIL import Image

    pixels = np.load(images, mmap_mode="r", allow_pickle=False)[0]
    path = images.with_suffix(".png")
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return path
