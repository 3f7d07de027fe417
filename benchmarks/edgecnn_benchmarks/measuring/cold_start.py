"""Cold start: from starting a process to its first answer, Python and all imports included."""

import dataclasses
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.measuring.rounds import Job, ReportRound
from edgecnn_benchmarks.process.worker_process import WorkerError
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_runtime.system.own_process import describe_end, python_interpreter, run

# The smallest program that classifies an image file.
PROGRAM = """\
import sys
from edgecnn_runtime import Classifier
classifier = Classifier.open(sys.argv[1], threads=int(sys.argv[2]), engine=sys.argv[4] or None)
print(ascii(classifier.predict(sys.argv[3]).label), flush=True)
"""

# The same through Keras: the file, the threads, the picture.
KERAS_PROGRAM = """\
import os, sys
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from PIL import Image
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
model = tf.keras.models.load_model(sys.argv[1], compile=False)
pixels = np.asarray(Image.open(sys.argv[3]), np.float32)
pixels = pixels.reshape(1, *pixels.shape[:2], -1)
print(int(np.argmax({call})), flush=True)
"""
_KERAS_CALLS = {"call": "model(pixels, training=False)[0]", "predict": "model.predict(pixels, verbose=0)[0]"}


# The same for a model that does not say everything about itself.
THIRD_PARTY = """\
import json, pathlib, sys
from edgecnn_runtime import Classifier
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.third_party_models.opening import Opening
opening = read_dataclass(Opening, json.loads(sys.argv[4]), name="opening")
classifier = Classifier.open_as(pathlib.Path(sys.argv[1]), opening, threads=int(sys.argv[2]))
print(ascii(classifier.predict(sys.argv[3]).label), flush=True)
"""


def command(job: Job, *, picture: Path, settings: BenchSettings) -> list[str]:
    """Return the command line of a row's cold start."""
    candidate = job.candidate
    arguments = [str(candidate.path.resolve()), str(job.threads), str(picture)]
    way, program, opening = candidate.keras_way, PROGRAM, candidate.opening(settings)
    if way is not None:
        program = KERAS_PROGRAM.format(call=_KERAS_CALLS[way])
    elif opening == candidate.opening(BenchSettings()):
        arguments.append(candidate.engine or "")
    else:
        program = THIRD_PARTY
        arguments.append(json.dumps(dataclasses.asdict(opening)))
    return [python_interpreter(), "-c", program, *arguments]


class ColdStarts:
    """Starts every model in random order; what was measured can be read at any time, also after an interrupt."""

    def __init__(self, jobs: Sequence[Job], *, settings: BenchSettings, scratch: Path) -> None:
        self._jobs = jobs
        self._settings, self._scratch = settings, scratch
        # The seconds of each start by the model's name, and why the others were not measured.
        self._seconds: dict[str, list[float]] = {job.name: [] for job in jobs}
        self.failures: dict[str, WorkerError] = {}

    @property
    def estimates(self) -> dict[str, Estimate]:
        """The median seconds of a start of the models that started, by name."""
        return {
            name: median_estimate(took) for name, took in self._seconds.items() if took and name not in self.failures
        }

    def measure(self, report: ReportRound) -> None:
        """Start every model `settings.starts` times, each in a process that classifies one PNG file.

        One more start goes before and is not counted: it fills the file cache.
        """
        settings, order = self._settings, random.Random(self._settings.seed)
        pictures = {job.images: _save_png(job.images) for job in self._jobs}
        for number in range(1 + settings.starts):
            for job in order.sample(self._jobs, len(self._jobs)):
                if job.name in self.failures:
                    continue
                report(number / (1 + settings.starts), f"cold start {number + 1}, {job.label}")
                try:
                    took = start_to_first_line(
                        command(job, picture=pictures[job.images], settings=settings),
                        timeout=settings.timeout,
                        folder=self._scratch,
                    )
                except WorkerError as error:
                    self.failures[job.name] = error
                else:
                    self._seconds[job.name] += [took] if number else []


def start_to_first_line(command: Sequence[str], *, timeout: float, folder: Path) -> float:
    """Start a process and return the seconds until the first line of its output.

    Raises:
        WorkerError: it ended without one, or took longer than `timeout` seconds.
    """
    took: list[float] = []
    started = time.perf_counter()
    ended = run(command, timeout=timeout, on_line=lambda _: took.append(time.perf_counter() - started), folder=folder)
    if ended.limit:
        raise WorkerError(f"{ended.reason} of a cold start; stopped")
    if not took or ended.code:
        raise WorkerError(f"{describe_end(ended.code, ended.stderr)} (in a cold start)")
    return took[0]


def _save_png(images: Path) -> Path:
    """Save the first image of a .npy file beside it as PNG, of the size the model takes."""
    from PIL import Image

    pixels = np.load(images, mmap_mode="r", allow_pickle=False)[0]
    path = images.with_suffix(".png")
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return path
