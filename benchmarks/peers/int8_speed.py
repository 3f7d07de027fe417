"""int8 TFLite against float32 TFLite: latency on one thread, size, accuracy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interleaved import interleave, ratio
from numpy.typing import NDArray
from raw_litert import microseconds_a_call, raw_loop

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_runtime import Classifier
from edgecnn_runtime.accuracy import Accuracy, top1_accuracy
from edgecnn_runtime.workstation.image_set import Split

_ROUNDS = 100
_TIMED_IMAGES = 64


@dataclass(frozen=True)
class Int8Speed:
    """Both files in one run; times in microseconds an image, sizes in bytes."""

    float32: Estimate
    int8: Estimate
    faster: Estimate
    float32_size: int
    int8_size: int
    float32_accuracy: Accuracy
    int8_accuracy: Accuracy


def measure_int8_speed(float32: Path, int8: Path, test: Split) -> Int8Speed:
    """Time the bare LiteRT loop on both files, and count the right answers of both on the whole test split."""
    timed = np.asarray(test.images[:_TIMED_IMAGES])
    loops = {"float32": raw_loop(float32, timed), "int8": raw_loop(int8, timed)}
    figures = interleave(
        {name: (lambda loop=loop: microseconds_a_call(loop, images=len(timed))) for name, loop in loops.items()},
        rounds=_ROUNDS,
    )
    return Int8Speed(
        float32=median_estimate(figures["float32"]),
        int8=median_estimate(figures["int8"]),
        faster=ratio(figures["float32"], figures["int8"]),
        float32_size=float32.stat().st_size,
        int8_size=int8.stat().st_size,
        float32_accuracy=_accuracy(float32, test),
        int8_accuracy=_accuracy(int8, test),
    )


def _accuracy(model: Path, test: Split) -> Accuracy:
    images: NDArray[np.uint8] = np.asarray(test.images)
    return top1_accuracy(Classifier.open(model).predict_proba(images), test.labels)
