"""The network that is trained, saved and exported: pixels 0…255 in, probabilities out."""

import re
from typing import Any

from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.scaling import scaling_layer


def build_network(keras: Any, recipe: Recipe, classes: int, *, shape: Shape | None = None) -> Any:
    """Put the scaling in front of a recipe's network, so that nobody who uses the model has to know it.

    Only layers that Keras ships are used, so that the saved model loads in safe mode and without this package.

    Args:
        keras: the module `keras` or `tf_keras`.
        recipe: which network.
        classes: how many.
        shape: of the images; None takes the recipe's.

    Returns:
        An uncompiled functional model: `pixels` float32 `(N, height, width, channels)`, 0…255, RGB or grey ->
        `scaling` -> the recipe's network, `core` -> `probabilities` float32 `(N, classes)`.

    Raises:
        InputError: the recipe's network is for another number of classes.
    """
    shape = shape or recipe.input_shape
    pixels = keras.Input(shape, name="pixels")
    outcome = recipe.build(keras, shape, classes)(scaling_layer(keras, recipe.scaling)(pixels))
    return keras.Model(pixels, _probabilities(keras, outcome), name=re.sub("[-:@]", "_", recipe.name))


def core(network: Any) -> Any:
    """Return the recipe's own network inside a built one."""
    return network.get_layer("core")


def _probabilities(keras: Any, outcome: Any) -> Any:
    """Name the output `probabilities`, and give it one column per class."""
    if outcome.shape[-1] == 1:
        # One sigmoid unit gives p of the second class: [1 - p, p].
        complement = keras.layers.Rescaling(-1.0, offset=1.0, name="complement", dtype="float32")(outcome)
        return keras.layers.Concatenate(name="probabilities", dtype="float32")([complement, outcome])
    # Changes nothing; it gives the output its name in every exported format.
    return keras.layers.Activation("linear", name="probabilities", dtype="float32")(outcome)
