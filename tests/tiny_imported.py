"""Small networks as a stranger would have saved them, and their answers worked out by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 12
PIXELS = np.random.default_rng(5).integers(0, 256, (16, SIDE, SIDE, 3), np.uint8)

# Of ImageNet, RGB, as the field writes them down.
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

# By the options of the command line, what a third-party author's script does to RGB pixels 0…255.
BY_HAND: dict[str, tuple[dict[str, str], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "scale": ({"scale": "1/255"}, lambda x: x / 255),
    "mean and std": ({"mean": "120,110,100", "std": "60,50,40"}, lambda x: (x - [120, 110, 100]) / [60, 50, 40]),
    "all three": ({"scale": "1/255", "mean": "0.5", "std": "0.25"}, lambda x: (x / 255 - 0.5) / 0.25),
    "tf": ({"preprocess": "tf"}, lambda x: x / 127.5 - 1),
    "torch": ({"preprocess": "torch"}, lambda x: (x / 255 - _MEAN) / _STD),
    "caffe": ({"preprocess": "caffe"}, lambda x: x[..., ::-1] - [103.939, 116.779, 123.68]),
    "per-image": (
        {"preprocess": "per-image"},
        lambda x: np.stack([(image - image.mean()) / image.std() for image in x.astype(np.float64)]),
    ),
    "none": ({"preprocess": "none"}, lambda x: x),
}


def original_network(keras: Any, head: str = "softmax", *, first: str = "conv", scaled: NDArray[Any] = PIXELS) -> Any:
    """Return a network with fixed weights that is neither quite sure nor undecided.

    Args:
        keras: the module `keras` or `tf_keras`.
        head: softmax, softmax layer or logits (three classes), sigmoid or logit (one unit).
        first: conv, padded conv, or batch norm, behind which a BGR network cannot be turned by its first kernel.
        scaled: images as the network wants them, float `(N, SIDE, SIDE, 3)`.
    """
    layers = keras.layers
    x = image = keras.Input((SIDE, SIDE, 3))
    if first == "batch norm":
        x = layers.BatchNormalization()(x)
    if first == "padded conv":
        x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(6, 3, strides=2, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    features = keras.Model(image, layers.Flatten()(layers.MaxPooling2D(2)(x)))
    generator = np.random.default_rng(3)
    features.set_weights([generator.uniform(0.5, 1.5, array.shape) for array in features.get_weights()])
    units = 1 if head in ("sigmoid", "logit") else 3
    last = layers.Dense(units, activation=head if head in ("softmax", "sigmoid") else None)
    outcome = last(features.output)
    given = np.asarray(features(scaled.astype(np.float32), training=False))
    kernel = generator.normal(size=(given.shape[1], units))
    logits = given @ kernel
    last.set_weights([1.5 * kernel / logits.std(axis=0), -1.5 * logits.mean(axis=0) / logits.std(axis=0)])
    return keras.Model(image, layers.Softmax()(outcome) if head == "softmax layer" else outcome)


def probabilities_by_hand(network: Any, scaled: NDArray[Any], head: str) -> NDArray[np.float32]:
    """Return what a network says, as probabilities of its classes `(N, classes)`."""
    outcome = np.asarray(network(scaled.astype(np.float32), training=False), np.float64)
    if head == "logits":
        exponentials = np.exp(outcome - outcome.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
    if head == "logit":
        outcome = 1 / (1 + np.exp(-outcome))
    return np.concatenate([1 - outcome, outcome], axis=1) if outcome.shape[1] == 1 else outcome


def write_folder(path: Path, *, classes: tuple[str, ...] = (), count: int = 24, side: int = 20) -> Path:
    """Write `count` noisy images of different colours as PNG: in class folders, or in one folder without classes."""
    from PIL import Image

    generator = np.random.default_rng(1)
    for number in range(count):
        pixels = generator.integers(0, 256, (side, side, 3)) * generator.uniform(0.1, 1, 3)
        folder = path / classes[number % len(classes)] if classes else path
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03}.png")
    return path
