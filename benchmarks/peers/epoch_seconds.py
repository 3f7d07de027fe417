"""Seconds an epoch: what `edgecnn train` feeds, beside the same step without a feed and beside the notebooks' loops.

python benchmarks/peers/epoch_seconds.py
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from casting_photos import CastingPhotos, casting_photos
from goals import judged
from interleaved import interleave, ratio

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_training.batches import Batches
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare
from edgecnn_training.devices.devices import feed, prepare_devices
from edgecnn_training.fit import compile_network
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import TrainingSettings

_ROUNDS = 9
# A share of MNIST's epoch is enough to compare: 313 steps.
DIGITS = 10_000


@dataclass(frozen=True)
class CastingEpochs:
    """An epoch of the recipe casting, in seconds."""

    photos: str
    ours: Estimate
    limit: Estimate  # the same steps on batches that are in memory as tensors
    generator: Estimate  # the notebook's ImageDataGenerator
    of_the_limit: Estimate
    faster_than_generator: Estimate


@dataclass(frozen=True)
class MnistEpochs:
    """The first steps of an epoch of MNIST at batch 32, in seconds."""

    data: str
    images: int
    ours: Estimate
    plain: Estimate  # `fit` on float32 arrays in memory
    faster: Estimate


def measure_casting_epochs(photos: CastingPhotos) -> CastingEpochs:
    """Train one epoch a round in each way, in float32, on the same images in batches of the same size."""
    prepare_devices(device=None, threads=None, deterministic=False)
    split, recipe = photos.prepared.split("train"), get_recipe("casting")
    settings = recipe.settings
    batches = Batches(split, np.arange(len(split)), batch_size=settings.batch_size, shuffle_seed=0)
    first, last = batches[0], batches[len(batches) - 1]
    resident = tf.data.Dataset.from_tensors(first).repeat(len(batches) - 1)
    resident = resident.concatenate(tf.data.Dataset.from_tensors(last))
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        photos.folders / "train",
        target_size=recipe.input_shape[:2],
        batch_size=settings.batch_size,
        class_mode="sparse",
    )
    networks = [compiled(photos.prepared, "casting", settings) for _ in range(2)]
    # It takes pixels 0…1, as the notebook's.
    unscaled = compiled(photos.prepared, "casting", settings, scaled=False)
    figures = interleave(
        {
            "ours": our_epoch(networks[0], batches),
            "limit": lambda: epoch_seconds(networks[1], resident, shuffle=False),
            "generator": lambda: epoch_seconds(unscaled, generator),
        },
        rounds=_ROUNDS,
    )
    return CastingEpochs(
        photos=photos.described,
        ours=median_estimate(figures["ours"]),
        limit=median_estimate(figures["limit"]),
        generator=median_estimate(figures["generator"]),
        of_the_limit=ratio(figures["limit"], figures["ours"]),
        faster_than_generator=ratio(figures["generator"], figures["ours"]),
    )


def measure_mnist_epochs() -> MnistEpochs:
    """Train the notebook's SGD at batch 32 both ways, on the 70,000 digits where they are at hand, else on 5,000."""
    prepare_devices(device=None, threads=None, deterministic=False)
    image_set = open_or_prepare("mnist" if KNOWN_SETS["mnist"].find() else "mnist-5000", say=print)
    split = image_set.split("train")
    count = min(DIGITS, len(split))
    settings = get_recipe("mnist").settings.overridden(optimizer="sgd", batch_size=32)
    batches = Batches(split, np.arange(count), batch_size=settings.batch_size, shuffle_seed=0)
    network = compiled(image_set, "mnist", settings)
    unscaled = compiled(image_set, "mnist", settings, scaled=False)
    images, labels = split.images[:count].astype(np.float32) / 255, split.labels[:count]
    figures = interleave(
        {
            "ours": our_epoch(network, batches),
            "plain": lambda: epoch_seconds(unscaled, images, labels, batch_size=settings.batch_size),
        },
        rounds=_ROUNDS,
    )
    return MnistEpochs(
        data=image_set.name,
        images=count,
        ours=median_estimate(figures["ours"]),
        plain=median_estimate(figures["plain"]),
        faster=ratio(figures["plain"], figures["ours"]),
    )


def compiled(image_set: ImageSet, recipe: str, settings: TrainingSettings, *, scaled: bool = True) -> Any:
    """Return a recipe's network as `edgecnn train` compiles it; not `scaled`, it takes pixels 0…1."""
    network = build_network(keras, get_recipe(recipe), len(image_set.labels))
    model = network if scaled else core(network)
    compile_network(keras, model, settings)
    return model


def our_epoch(network: Any, batches: Batches) -> Callable[[], float]:
    """Return what trains the next epoch on what `edgecnn train` feeds, and gives its seconds."""
    fed, epochs = feed(batches), itertools.count()

    def train() -> float:
        batches.start_epoch(next(epochs))
        return epoch_seconds(network, fed, callbacks=[_Progress()], shuffle=False)

    return train


def epoch_seconds(model: Any, *data: Any, callbacks: Sequence[Any] = (), **options: Any) -> float:
    """Train one epoch and return its seconds, without what `fit` does before and after it.

    Deleting an iterator that tf.data tunes blocks `fit` now and then, which is not the loop's doing.
    """
    clock = _Clock()
    model.fit(*data, epochs=1, verbose=0, callbacks=[clock, *callbacks], **options)
    return clock.seconds


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Takes the time of an epoch."""

    seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del epoch, logs
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del epoch, logs
        self.seconds = time.perf_counter() - self._started


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Reads the scores after each step, as the progress of `edgecnn train` does."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        del batch
        float(logs["loss"]), float(logs["accuracy"])


def casting_lines(epochs: CastingEpochs) -> list[str]:
    """Write the casting figures as Markdown."""
    return [
        "",
        f"**casting**, {epochs.photos}, batch 32, float32. The limit is the same step on a batch that is in memory "
        "already. Goals: at least 0.95 of the limit, at least 1.35 times as fast as ImageDataGenerator.",
        "",
        "| | seconds an epoch | edgecnn is |",
        "|---|---|---|",
        f"| edgecnn | {figure(epochs.ours)} | |",
        f"| compute limit | {figure(epochs.limit)} | at {figure(epochs.of_the_limit)} of it |",
        f"| ImageDataGenerator | {figure(epochs.generator)} | {figure(epochs.faster_than_generator)} times as fast |",
        *judged(
            {
                "0.95 of the limit": epochs.of_the_limit.value >= 0.95,
                "1.35 times as fast as ImageDataGenerator": epochs.faster_than_generator.value >= 1.35,
            }
        ),
    ]


def mnist_lines(epochs: MnistEpochs) -> list[str]:
    """Write the MNIST figures as Markdown."""
    return [
        "",
        f"**mnist**, {epochs.images:,} images of {epochs.data}, batch 32, SGD. Goal: at least as fast as `model.fit` "
        "on float32 arrays in memory.",
        "",
        "| | seconds | edgecnn is |",
        "|---|---|---|",
        f"| edgecnn | {figure(epochs.ours)} | |",
        f"| plain Keras | {figure(epochs.plain)} | {figure(epochs.faster)} times as fast |",
        *judged({"as fast as model.fit": epochs.faster.value >= 1}),
    ]


def main() -> None:
    """Measure both, and print the lines that `record_training.py` puts on its page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(*mnist_lines(measure_mnist_epochs()), sep="\n")
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        print(*casting_lines(measure_casting_epochs(casting_photos(Path(scratch)))), sep="\n")


if __name__ == "__main__":
    main()
