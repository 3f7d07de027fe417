"""The casting step in bfloat16 and under XLA, beside float32, and what bfloat16 does to a score.

python benchmarks/peers/step_precision.py
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from casting_photos import CastingPhotos, casting_photos
from epoch_seconds import compiled, our_epoch
from interleaved import interleave, ratio

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure, percent
from edgecnn_runtime.accuracy import Accuracy, top1_accuracy
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_training.batches import Batches
from edgecnn_training.data.prepare import open_or_prepare
from edgecnn_training.devices.devices import inference, prepare_devices
from edgecnn_training.recipes import get_recipe

_ROUNDS = 5
# A share of the epoch, since XLA takes several times as long on a CPU.
_STEPS = 8
_SCORED_EPOCHS = 5
# By name: the dtype policy of the layers, and whether XLA compiles the step.
_WAYS = {"float32": ("float32", False), "bfloat16": ("mixed_bfloat16", False), "float32, XLA": ("float32", True)}


@dataclass(frozen=True)
class StepPrecision:
    """Seconds for the first steps of an epoch of casting, and the scores of a short training of MNIST."""

    photos: str
    seconds: dict[str, Estimate]
    faster: dict[str, Estimate]  # than float32
    scores: dict[str, Accuracy]


def measure_step_precision(photos: CastingPhotos) -> StepPrecision:
    """Train a few steps a round in each way, and once for a score in float32 and bfloat16, with the same seed."""
    prepare_devices(device=None, threads=None, deterministic=False)
    figures = interleave({name: _steps(photos.prepared, *way) for name, way in _WAYS.items()}, rounds=_ROUNDS)
    digits = open_or_prepare("mnist-5000", say=print)
    return StepPrecision(
        photos=photos.described,
        seconds={name: median_estimate(values) for name, values in figures.items()},
        faster={name: ratio(figures["float32"], values) for name, values in figures.items()},
        scores={policy: _score(digits, _WAYS[policy][0]) for policy in ("float32", "bfloat16")},
    )


def _steps(image_set: ImageSet, policy: str, xla: bool) -> Callable[[], float]:
    settings, split = get_recipe("casting").settings, image_set.split("train")
    network = _in_policy(policy, image_set, "casting")
    network.jit_compile = xla
    count = min(len(split), _STEPS * settings.batch_size)
    return our_epoch(network, Batches(split, np.arange(count), batch_size=settings.batch_size, shuffle_seed=0))


def _score(image_set: ImageSet, policy: str) -> Accuracy:
    settings, split, test = get_recipe("mnist").settings, image_set.split("train"), image_set.split("test")
    keras.utils.set_random_seed(0)
    network = _in_policy(policy, image_set, "mnist")
    train = our_epoch(network, Batches(split, np.arange(len(split)), batch_size=settings.batch_size, shuffle_seed=0))
    for _ in range(_SCORED_EPOCHS):
        train()
    return top1_accuracy(inference(network)(np.asarray(test.images)), test.labels)


def _in_policy(policy: str, image_set: ImageSet, recipe: str) -> Any:
    """Build and compile a network whose layers compute in a dtype policy of Keras."""
    keras.config.set_dtype_policy(policy)
    try:
        return compiled(image_set, recipe, get_recipe(recipe).settings)
    finally:
        keras.config.set_dtype_policy("float32")


def precision_lines(precision: StepPrecision) -> list[str]:
    """Write the figures as Markdown."""
    rows = [
        f"| {name} | {figure(precision.seconds[name])} | {figure(precision.faster[name])} |"
        for name in precision.seconds
    ]
    scores = ", ".join(
        f"{percent(score.value)} ({score.correct:,} of {score.total:,}) in {name}"
        for name, score in precision.scores.items()
    )
    return [
        "",
        f"**bfloat16 and XLA**, casting, the first {_STEPS} steps of an epoch. No goal: a CPU gains or loses by its "
        "instructions.",
        "",
        "| | seconds | times as fast as float32 |",
        "|---|---|---|",
        *rows,
        "",
        f"Test score of mnist-5000 after {_SCORED_EPOCHS} epochs, equal seed, one run each: {scores}.",
    ]


def main() -> None:
    """Measure, and print the lines that `record_training.py` puts on its page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        print(*precision_lines(measure_step_precision(casting_photos(Path(scratch)))), sep="\n")


if __name__ == "__main__":
    main()
