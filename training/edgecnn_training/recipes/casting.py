"""Casting defects: the own network of the notebook "Casting defects", 4,394,786 parameters, three recipes.

`casting` is the network, `casting-augmented` trains it behind random flips, contrast and rotation, and
`casting-binary` is the notebook's exercise 2: one sigmoid unit and binary cross-entropy.

What the notebook does and these recipes do not:

- Two of its three loaders feed 0…255 and one 0…1, and it takes the difference for that of the loaders
  (benchmarks/NOTEBOOKS.md has its loop with and without the scaling). Here it is in the graph.
- Its scikit-image score of 1.00 was computed on training batches.
- It shuffles before it splits and reshuffles each epoch, so that validation images are trained on.
- It leaves the softmax out, so an exported model would give logits. Here it is part of the last layer; the loss is
  the same.
- "Contrast change by up to 50 %" is 0.1 in the code, and here.
- The casting set has no fixed split free of leaks: mirrored and rotated copies of one part lie in train and test.
"""

import dataclasses
from typing import Any

from edgecnn_runtime.errors import InputError
from edgecnn_training.augmentation import Augmentation, Border
from edgecnn_training.history import Monitor
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
    return _network(keras, shape, keras.layers.Dense(classes, activation="softmax", dtype="float32"))


def build_binary(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the same with one sigmoid unit: float32 `(N, *shape)` in 0…1 to the second class's probability `(N, 1)`.

    The loss of the whole network, the categorical cross-entropy of [1 - p, p], is the binary one of p.

    Raises:
        InputError: not two classes.
    """
    if classes != 2:
        raise InputError(f"casting-binary: expected two classes, got {classes}; train casting on them")
    return _network(keras, shape, keras.layers.Dense(1, activation="sigmoid", dtype="float32"))


def _network(keras: Any, shape: Shape, last: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(8, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(224),
            layers.Activation("relu"),
            last,
        ],
        name="core",
    )


# Of the notebook; a casting has no upside.
CASTING_CHANGES = Augmentation(
    flip_horizontal=True, flip_vertical=True, contrast=0.1, rotation=1.0, border=Border.BLACK
)

CASTING = Recipe(
    name="casting",
    summary="casting defects: three convolutions, dense 224; 4,394,786 parameters",
    data="casting",
    classes=2,
    input_shape=(300, 300, 3),
    settings=TrainingSettings(
        epochs=30, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.001, monitor=Monitor.LOSS, patience=5
    ),
    augmentation=CASTING_CHANGES,
    build=build,
)
AUGMENTED = dataclasses.replace(
    CASTING,
    name="casting-augmented",
    summary="the network of casting, trained on flipped, rotated images of varied contrast",
    settings=dataclasses.replace(CASTING.settings, augment=True),
)
BINARY = dataclasses.replace(
    CASTING,
    name="casting-binary",
    summary="the network of casting with one sigmoid unit and binary cross-entropy; 4,394,561 parameters",
    build=build_binary,
)
