"""What an expert writes in an hour: a small network in plain Keras, trained from scratch on a folder of class folders.

    python benchmarks/peers/own_folder_baseline.py FOLDER HELD_OUT --seed 0 --predictions predictions.csv

It knows nothing of edgecnn, and does what Keras's guides recommend: all images trained on, shuffled and repeated for a
fixed number of steps, moved, turned and zoomed a little, classes weighted by how rare they are, AdamW down a cosine,
the weights of the last step. The held-out images are only classified. The columns of predictions.csv are those of
`edgecnn evaluate`, so that both are scored by the same lines.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_PIXELS = 96  # of a side; larger photos are scaled down
BATCH, FEWEST_STEPS, FEWEST_EPOCHS = 32, 1000, 40


def load(folder: Path, labels: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Return the images of all classes, `(N, side, side, channels)` in 0…1, their classes and their files."""
    files = [(file, number) for number, label in enumerate(labels) for file in sorted((folder / label).glob("*.png"))]
    images = [Image.open(file) for file, _ in files]
    side = min(MOST_PIXELS, *images[0].size)
    pixels = np.stack([np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)) for image in images])
    pixels = pixels.reshape(len(files), side, side, -1).astype("float32") / 255
    return pixels, np.array([number for _, number in files]), [str(file.relative_to(folder)) for file, _ in files]


def train(images: NDArray[np.float32], classes: NDArray[np.int64], count: int, seed: int) -> keras.Model:
    """Train a small network on all images, and return it."""
    keras.utils.set_random_seed(seed)
    layers, steps = keras.layers, max(FEWEST_STEPS, FEWEST_EPOCHS * len(images) // BATCH)
    stack = [
        keras.Input(images.shape[1:]),
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        layers.RandomRotation(0.04, fill_mode="nearest"),
        layers.RandomZoom(0.1, fill_mode="nearest"),
        layers.RandomContrast(0.2),
    ]
    for filters in (24, 48, 96):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        stack += [layers.MaxPooling2D(padding="same")]
    stack += [layers.Conv2D(96, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    stack += [layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(count, activation="softmax")]
    network = keras.Sequential(stack)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "sparse_categorical_crossentropy")
    weights = len(classes) / (count * np.bincount(classes, minlength=count))
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(len(images)) for _ in range(steps * BATCH // len(images) + 1)])
    for step in range(steps):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        network.train_on_batch(images[chosen], classes[chosen], sample_weight=weights[classes[chosen]])
    return network


def main() -> None:
    """Train on one folder, classify the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--predictions", type=Path, required=True)
    arguments = parser.parse_args()
    labels = sorted(folder.name for folder in arguments.folder.iterdir())
    images, classes, _ = load(arguments.folder, labels)
    network = train(images, classes, len(labels), arguments.seed)
    images, classes, files = load(arguments.held_out, labels)
    probabilities = network.predict(images, batch_size=BATCH, verbose=0)
    with arguments.predictions.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("image", "true", "predicted", "probability"))
        for name, true, row in zip(files, classes, probabilities, strict=True):
            table.writerow((name, labels[true], labels[row.argmax()], f"{row.max():.6f}"))


if __name__ == "__main__":
    main()
