"""Do the figures of `edgecnn bench` survive a second run?

    python benchmarks/peers/bench_repeats.py runs/mnist

Five repeats of the int8 to float32 ratio, alone and while another process loads a core; twenty benchmarks of one file
against a copy of itself; what the measuring loop adds to an inference; how long a whole benchmark takes.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from goals import judged

from edgecnn_benchmarks.bench import bench
from edgecnn_benchmarks.process.worker import Worker
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure, span
from edgecnn_runtime.model_formats import find_format
from edgecnn_runtime.third_party_models.opening import Opening
from edgecnn_runtime.workstation.run_folder import RunFolder

REPEATS = 5
AA_RUNS = 20
# Rounds and timed calls of all benchmarks, in place of the defaults; the tests make them quick.
ROUNDS: int | None = BenchSettings.rounds
RUNS = BenchSettings.runs
# Where files are compared, in this engine alone.
LITERT = Opening(third_party_only=True, engine="litert")
_LOOPS = 40
_CALLS = 20_000


@dataclass(frozen=True)
class Repeats:
    """The ratio of int8 to float32, once a benchmark."""

    ratios: tuple[Estimate, ...]
    rounds: tuple[int, ...]

    @property
    def median(self) -> float:
        """The median of the ratios."""
        return float(np.median([ratio.value for ratio in self.ratios]))

    @property
    def spread(self) -> float:
        """How far the ratios lie from their median at most, as a share of it."""
        return max(abs(ratio.value / self.median - 1) for ratio in self.ratios)

    @property
    def covering(self) -> int:
        """How many of the intervals hold the median."""
        return sum(ratio.includes(self.median) for ratio in self.ratios)


@dataclass(frozen=True)
class Sameness:
    """Benchmarks of one file against a copy of itself."""

    runs: int
    no_difference: int
    ratios: tuple[Estimate, ...]


@dataclass(frozen=True)
class WholeBench:
    """One benchmark of a whole run."""

    files: int
    images: int
    seconds: float
    rounds: int
    widest: float  # half the interval of a ratio, as a share of it


@dataclass(frozen=True)
class BenchQuality:
    """All that is judged."""

    alone: Repeats
    loaded: Repeats
    sameness: Sameness
    loop_us: Estimate
    whole: WholeBench


def measure_bench_quality(run: Path) -> BenchQuality:
    """Measure everything on a run of the mnist recipe that was exported with --all."""
    folder = RunFolder(run)
    float32, int8 = folder.exported("float32", ".tflite"), folder.exported("int8", ".tflite")
    alone = measure_repeats(float32, int8)
    with _loaded_core():
        loaded = measure_repeats(float32, int8)
    return BenchQuality(alone, loaded, measure_sameness(float32), measure_loop(), measure_whole(run))


def measure_repeats(float32: Path, int8: Path) -> Repeats:
    """Benchmark both files `REPEATS` times, each time as a user does."""
    ratios, rounds = [], []
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        for number in range(REPEATS):
            settings = BenchSettings(seed=number, starts=1, rounds=ROUNDS, runs=RUNS, opening=LITERT)
            row = bench([float32, int8], output=Path(scratch), settings=settings).row(int8.name)
            assert row.speedup is not None  # the reference is the other
            ratios.append(row.speedup)
            rounds.append(len(row.rounds))
    return Repeats(tuple(ratios), tuple(rounds))


def measure_sameness(model: Path) -> Sameness:
    """Benchmark a file against a copy of itself `AA_RUNS` times."""
    ratios, same = [], 0
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        copies = [Path(scratch) / f"{name}{model.suffix}" for name in "ab"]
        for copy in copies:
            shutil.copyfile(model, copy)
        for number in range(AA_RUNS):
            settings = BenchSettings(
                seed=number, starts=1, rounds=ROUNDS, runs=RUNS, reference=copies[0].name, opening=LITERT
            )
            row = bench(copies, output=Path(scratch) / "out", settings=settings).row(copies[1].name)
            assert row.speedup is not None  # the reference is the other
            ratios.append(row.speedup)
            same += not row.told_apart
    return Sameness(AA_RUNS, same, tuple(ratios))


class _NoModel:
    """Answers at once, so that what is left is the loop."""

    def __init__(self) -> None:
        self._answer = np.zeros(2, np.float32)

    def facts(self) -> dict[str, object]:
        return {}

    def predict_proba(self, pixels: object) -> "np.ndarray":
        del pixels
        return self._answer


def measure_loop() -> Estimate:
    """Time the worker's loop on a model that answers at once, less the bare calls; microseconds a call."""
    model = _NoModel()
    worker, calls = Worker(model), [np.zeros((2, 2, 1), np.uint8)] * 64

    def bare() -> float:
        predict_proba, started = model.predict_proba, time.perf_counter()
        for _ in range(_CALLS // len(calls)):
            for pixels in calls:
                predict_proba(pixels)
        return (time.perf_counter() - started) / (_CALLS // len(calls) * len(calls))

    def measured() -> float:
        started = time.perf_counter()
        count = len(worker._time(calls, runs=_CALLS, secs=0.0, limit_secs=60.0))
        return (time.perf_counter() - started) / count

    return median_estimate([(measured() - bare()) * 1e6 for _ in range(_LOOPS)])


def measure_whole(run: Path) -> WholeBench:
    """Benchmark all files of a run, and copies of them until there are nine, with accuracy on its test images."""
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        copy = RunFolder(Path(scratch) / RunFolder(run).name)
        shutil.copytree(run, copy.path)
        models = sorted(path for path in copy.export.iterdir() if find_format(path) is not None)
        for model in models[: 9 - len(models)]:
            shutil.copyfile(model, model.with_stem(f"{model.stem}-again"))
        result = bench([copy.path], output=Path(scratch) / "out", settings=BenchSettings(rounds=ROUNDS, runs=RUNS))
        assert result.data is not None  # the run's own
    ratios = [row.speedup.half_width for row in result.rows if row.speedup is not None]
    files = len({row.file for row in result.rows})
    return WholeBench(files, result.data.images, result.seconds, len(result.rows[0].rounds), max(ratios))


@contextlib.contextmanager
def _loaded_core() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def quality_table(quality: BenchQuality) -> list[str]:
    """Return the page's section."""
    same, whole = quality.sameness, quality.whole
    widest = max(same.ratios, key=lambda ratio: abs(ratio.value - 1))
    return [
        "## Bench: do its figures survive a second run?",
        "",
        f"`edgecnn bench` with its defaults, {REPEATS} times: how many times as fast int8 is as float32.",
        "",
        "| | ratios | rounds | farthest from their median | goal | intervals that hold it | goal |",
        "|---|---|---|---|---|---|---|",
        _repeats_row("alone", quality.alone, "± 5 %"),
        _repeats_row("another process loads a core", quality.loaded, "± 10 %"),
        "",
        f"The same file under two names: no difference in {same.no_difference} of {same.runs} benchmarks (goal: 19 of "
        f"20); the ratio farthest from 1 was {figure(widest)}.",
        "",
        f"The measuring loop adds {quality.loop_us.value:.2f} µs ({span(quality.loop_us)}) to an inference; goal: at "
        "most 1 µs.",
        "",
        f"A whole benchmark, {whole.files} files with accuracy on {whole.images:,} images: {whole.seconds:.0f} s, "
        f"{whole.rounds} rounds, every ratio within ± {100 * whole.widest:.1f} %; goal: at most 180 s.",
        *judged(
            {
                "± 5 % alone": quality.alone.spread <= 0.05,
                "± 10 % beside a loaded core": quality.loaded.spread <= 0.10,
                "4 of 5 intervals": all(
                    repeats.covering >= 0.8 * len(repeats.ratios) for repeats in (quality.alone, quality.loaded)
                ),
                "no difference in 19 of 20": same.no_difference >= 0.95 * same.runs,
                "1 µs": quality.loop_us.value <= 1,
                "180 s": whole.seconds <= 180,
            }
        ),
    ]


def _repeats_row(name: str, repeats: Repeats, goal: str) -> str:
    return (
        f"| {name} | {', '.join(figure(ratio) for ratio in repeats.ratios)} | "
        f"{', '.join(map(str, repeats.rounds))} | {100 * repeats.spread:.2f} % | {goal} | "
        f"{repeats.covering} of {len(repeats.ratios)} | 4 of 5 |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one run and print the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run of the mnist recipe, exported with --all")
    print("\n".join(quality_table(measure_bench_quality(parser.parse_args(arguments).run))))


if __name__ == "__main__":
    main()
