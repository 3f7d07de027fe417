"""What `predict_proba` of one image costs beside the bare LiteRT loop."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interleaved import interleave, ratio
from numpy.typing import NDArray
from raw_litert import microseconds_a_call, raw_loop

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_runtime import Classifier

_ROUNDS = 100


@dataclass(frozen=True)
class Overhead:
    """One model file, one thread; times in microseconds an image."""

    file: str
    raw: Estimate
    ours: Estimate
    ratio: Estimate
    added: Estimate


def measure_overhead(model: Path, images: NDArray[np.uint8]) -> Overhead:
    """Measure one TFLite file; `images` are uint8 `(N, height, width, channels)` of its size."""
    classifier = Classifier.open(model)
    raw = raw_loop(model, images)

    def ours(number: int) -> None:
        classifier.predict_proba(images[number])

    figures = interleave(
        {
            "raw": lambda: microseconds_a_call(raw, images=len(images)),
            "ours": lambda: microseconds_a_call(ours, images=len(images)),
        },
        rounds=_ROUNDS,
    )
    added = [mine - bare for mine, bare in zip(figures["ours"], figures["raw"], strict=True)]
    return Overhead(
        file=model.name,
        raw=median_estimate(figures["raw"]),
        ours=median_estimate(figures["ours"]),
        ratio=ratio(figures["ours"], figures["raw"]),
        added=median_estimate(added),
    )
