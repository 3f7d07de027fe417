"""The network that is trained, saved and exported: pixels 0…255 in, probabilities out."""

from typing import Any

from edgecnn_training.recipe import Recipe


def build_network(keras: Any, recipe: Recipe, classes: int) -> Any:
    """Put the scaling in front of a recipe's network, so that nobody who uses the model has to know it.

    Args:
        keras: the module `keras` or `tf_keras`.
        recipe: which network.
        classes: how many it tells apart.

    Returns:
        An uncompiled functional model: `pixels` float32 `(N, height, width, channels)`, 0…255, RGB or grey ->
        `scaling` -> the recipe's network -> `probabilities` float32 `(N, classes)`.
    """
    pixels = keras.Input(recipe.input_shape, name="pixels")
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(pixels)
    # Changes nothing; it gives the output its name in every exported format.
    probabilities = keras.layers.Activation("linear", name="probabilities")
    return keras.Model(pixels, probabilities(recipe.build(keras, classes)(scaled)), name=recipe.name.replace("-", "_"))
