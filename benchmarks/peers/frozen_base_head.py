"""`edgecnn train casting-mobilenetv2`, from command to saved model, beside the notebook's loop.

    python benchmarks/peers/frozen_base_head.py

The notebook resizes each image in the network and sends it through the frozen MobileNetV2 in each of 50 epochs; the
recipe trains on photos that were prepared in that size. One of the notebook's epochs a round is measured, after one
that is not counted, and taken times 50: neither its start nor its evaluation is counted, while of edgecnn the whole
process is, with imports, features, test split and figures.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from casting_photos import CastingPhotos, casting_photos
from epoch_seconds import epoch_seconds
from goals import judged
from interleaved import interleave, ratio

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.data.home import data_folder
from edgecnn_training.data.prepare import prepare_own
from edgecnn_training.data.readers.own_images import OwnImages
from edgecnn_training.devices.devices import prepare_devices
from edgecnn_training.fit import compile_network
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.pretrained import load_base_weights
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import IMAGENET, NO_WEIGHTS

_ROUNDS = 3
EPOCHS = 50


@dataclass(frozen=True)
class FrozenBaseHead:
    """Fifty epochs in seconds."""

    photos: str
    weights: str
    command: Estimate  # the whole process
    to_first_step: Estimate
    loop: Estimate  # one epoch of the loop, times 50
    faster: Estimate


def measure_frozen_base_head(photos: CastingPhotos, scratch: Path) -> FrozenBaseHead:
    """Run the command and one epoch of the loop a round."""
    prepare_devices(device=None, threads=None, deterministic=False)
    recipe, folder = get_recipe("casting-mobilenetv2"), RunFolder(scratch / "head")
    root = data_folder()
    weights = IMAGENET if root is not None and any(root.glob("weights/mobilenetv2*no*top*.h5")) else NO_WEIGHTS
    options = ["--epochs", str(EPOCHS), "--patience", "0", "--weights", weights, "--overwrite", "--quiet"]
    height, width, _ = recipe.input_shape
    small = prepare_own(
        OwnImages(photos.folders), spec=InputSpec(height, width, Colour.RGB), output=scratch / "head-photos"
    )
    places = ["--data", str(small.folder), "--output", str(folder.path)]
    first_steps: list[float] = []

    def command() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "edgecnn", "train", recipe.name, *places, *options], check=True)
        seconds = time.perf_counter() - started
        first_steps.append(json.loads(folder.record.read_text())["timings"]["to_first_step"])
        return seconds

    behind = build_network(keras, recipe, len(photos.prepared.labels))
    load_base_weights(behind, recipe, weights)
    photo = keras.Input(photos.prepared.input.shape)
    network = keras.Model(photo, behind(keras.layers.Resizing(height, width)(photo)))
    compile_network(keras, network, recipe.settings)
    training, validation = (
        images.prefetch(tf.data.AUTOTUNE)
        for images in keras.utils.image_dataset_from_directory(
            photos.folders / "train",
            validation_split=0.1,
            subset="both",
            seed=0,
            image_size=photos.prepared.input.shape[:2],
            batch_size=recipe.settings.batch_size,
            verbose=False,
        )
    )

    def loop() -> float:
        return EPOCHS * epoch_seconds(network, training, validation_data=validation, shuffle=False)

    figures = interleave({"command": command, "loop": loop}, rounds=_ROUNDS)
    return FrozenBaseHead(
        photos=photos.described,
        weights=weights,
        command=median_estimate(figures["command"]),
        to_first_step=median_estimate(first_steps[1:]),
        loop=median_estimate(figures["loop"]),
        faster=ratio(figures["loop"], figures["command"]),
    )


def head_lines(head: FrozenBaseHead) -> list[str]:
    """Write the figures as Markdown."""
    return [
        "",
        f"**casting-mobilenetv2**, {EPOCHS} epochs, {head.photos}, weights {head.weights}. edgecnn: the whole process, "
        "from command to saved model and figures. The notebook's loop: the frozen base in the graph, one epoch a round "
        f"after one to warm up, times {EPOCHS}, without its start and evaluation. Goal: at least 12 times as fast.",
        "",
        "| | seconds | edgecnn is |",
        "|---|---|---|",
        f"| edgecnn | {figure(head.command)}; first step of the head after {figure(head.to_first_step)} | |",
        f"| the notebook's loop, extrapolated | {figure(head.loop)} | {figure(head.faster)} times as fast |",
        *judged({"12 times as fast": head.faster.value >= 12}),
    ]


def main() -> None:
    """Measure, and print the lines that `record_training.py` puts on its page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        scratch = Path(folder)
        print(*head_lines(measure_frozen_base_head(casting_photos(scratch), scratch)), sep="\n")


if __name__ == "__main__":
    main()
