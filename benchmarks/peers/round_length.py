"""Which length of a round gives the narrowest interval for the same time?

    python benchmarks/peers/round_length.py runs/mnist --minutes 7

Each turn is a fresh process that opens a file, warms up and measures. The lengths take turns, and within each the
files. What counts is the scatter of the ratio of two files from round to round, times the square root of the time a
turn takes: the interval's width after a given time is proportional to it.
"""

import argparse
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.measuring.candidates import read_subject
from edgecnn_benchmarks.measuring.labelled_images import ImageShelf
from edgecnn_benchmarks.process.worker_process import WorkerProcess
from edgecnn_runtime.workstation.run_folder import RunFolder

# Seconds of warm-up and of measuring, at least.
LENGTHS = ((0.5, 1.0), (0.2, 0.5), (0.05, 0.2), (0.02, 0.1))


@dataclass
class Length:
    """The rounds of one length: the ratios of float32 to int8, and the seconds of a turn."""

    ratios: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def scatter(self) -> float:
        """The robust standard deviation of the ratio, as a share of it."""
        logarithms = np.log(self.ratios)
        return float(1.4826 * np.median(np.abs(logarithms - np.median(logarithms))))


def measure_lengths(run: Path, *, minutes: float) -> dict[tuple[float, float], Length]:
    """Measure all lengths in turns for so many minutes, at least one round of each."""
    folder, order, lengths = RunFolder(run), random.Random(0), {length: Length() for length in LENGTHS}
    files = [folder.exported("float32", ".tflite"), folder.exported("int8", ".tflite")]
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        shelf = ImageShelf(read_subject([run], data=None), Path(scratch))
        with WorkerProcess(files[0], threads=1, timeout=60, folder=Path(scratch)) as worker:
            images = shelf.sample(shelf.labelled(worker.facts))
        until, first = time.monotonic() + 60 * minutes, True
        while first or time.monotonic() < until:
            for warmup_secs, secs in order.sample(LENGTHS, len(LENGTHS)):
                length, latencies = lengths[warmup_secs, secs], {}
                for file in order.sample(files, len(files)):
                    started = time.perf_counter()
                    with WorkerProcess(file, threads=1, timeout=60, folder=Path(scratch)) as worker:
                        answer = worker.ask(
                            "measure",
                            images=str(images),
                            batch=1,
                            warmup=10,
                            warmup_secs=warmup_secs,
                            runs=50,
                            secs=secs,
                            limit_secs=20,
                        )
                    length.seconds.append(time.perf_counter() - started)
                    latencies[file] = np.median(answer["latencies_ns"])
                length.ratios.append(float(latencies[files[0]] / latencies[files[1]]))
            first = False
    return lengths


def main() -> None:
    """Measure and print a line a length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="an exported run of the mnist recipe")
    parser.add_argument("--minutes", type=float, default=7.0)
    arguments = parser.parse_args()
    for (warmup_secs, secs), length in measure_lengths(arguments.run, minutes=arguments.minutes).items():
        turn = float(np.mean(length.seconds))
        print(
            f"{warmup_secs:g} s + {secs:g} s: {len(length.ratios)} rounds, ratio {np.median(length.ratios):.3f}, "
            f"scatter {100 * length.scatter:.2f} %, a turn takes {turn:.2f} s, "
            f"scatter x sqrt(turn) {100 * length.scatter * turn**0.5:.2f} %"
        )


if __name__ == "__main__":
    main()
