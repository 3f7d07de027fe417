"""`predict_many` on a folder of JPEGs beside the limit that the machine gives in the same run.

The limit is 1 / (1/D + 1/I): D and I are the rates of decoding alone and of inference alone on as many threads.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interleaved import interleave, ratio
from numpy.typing import NDArray
from PIL import Image

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_runtime import Classifier
from edgecnn_runtime.preprocess import read_image

FILES = 2000
SIZE = 300  # pixels, of either side
_ROUNDS = 9


@dataclass(frozen=True)
class FolderRate:
    """One model file on a folder, in images a second."""

    file: str
    threads: int
    decoding: Estimate
    inference: Estimate
    plain_loop: Estimate
    predict_many: Estimate
    of_the_limit: Estimate
    of_the_plain_loop: Estimate


def write_jpegs(folder: Path, digits: NDArray[np.uint8]) -> list[Path]:
    """Write `FILES` grey JPEGs of 300x300: digits enlarged, with a little noise as a camera has it."""
    generator = np.random.default_rng(0)
    paths = [folder / f"{number:04}.jpg" for number in range(FILES)]
    for number, path in enumerate(paths):
        digit = Image.fromarray(digits[number % len(digits), :, :, 0]).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        noisy = np.asarray(digit, np.float32) + generator.normal(0, 4, (SIZE, SIZE))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def measure_folder(model: Path, paths: list[Path], *, threads: int) -> FolderRate:
    """Measure one model file on the files written by `write_jpegs`."""
    classifier = Classifier.open(model)

    def loop() -> None:
        for path in paths:
            classifier.predict(path)

    def many() -> None:
        for _ in classifier.predict_many(paths, workers=threads):
            pass

    with ThreadPoolExecutor(threads) as pool:
        figures = interleave(
            {
                **alone(classifier, paths, threads, pool),
                "loop": lambda: len(paths) / seconds_of(loop),
                "many": lambda: len(paths) / seconds_of(many),
            },
            rounds=_ROUNDS,
        )
    limits = limit(figures)
    return FolderRate(
        file=model.name,
        threads=threads,
        decoding=median_estimate(figures["decoding"]),
        inference=median_estimate(figures["inference"]),
        plain_loop=median_estimate(figures["loop"]),
        predict_many=median_estimate(figures["many"]),
        of_the_limit=ratio(figures["many"], limits),
        of_the_plain_loop=ratio(figures["many"], figures["loop"]),
    )


def alone(
    classifier: Classifier, paths: list[Path], threads: int, pool: ThreadPoolExecutor
) -> dict[str, Callable[[], float]]:
    """Return what measures "decoding" and "inference" alone, on `threads` threads of `pool`, in images a second."""
    spec = classifier.manifest.input
    backends = [classifier.backend.another() for _ in range(threads)]
    pixels = [read_image(path, spec)[np.newaxis] for path in paths]

    def decode(thread: int) -> None:
        for path in paths[thread::threads]:
            read_image(path, spec)

    def infer(thread: int) -> None:
        for image in pixels[thread::threads]:
            backends[thread].infer(image)

    return {
        "decoding": lambda: len(paths) / seconds_of(lambda: list(pool.map(decode, range(threads)))),
        "inference": lambda: len(paths) / seconds_of(lambda: list(pool.map(infer, range(threads)))),
    }


def limit(figures: Mapping[str, list[float]]) -> list[float]:
    """Return 1 / (1/D + 1/I) of each round, in images a second."""
    return [1 / (1 / d + 1 / i) for d, i in zip(figures["decoding"], figures["inference"], strict=True)]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the time of doing the work once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
