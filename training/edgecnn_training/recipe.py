"""A recipe: a documented classifier, with the data, the input and the settings that belong to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgecnn_training.settings import Settings

# `build(keras, classes)` returns the network: pixels scaled to 0…1 in, probabilities out. It gets the Keras module
# as an argument because the model-optimization toolkit works on `tf_keras`: the same function rebuilds it there.
Build = Callable[[Any, int], Any]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A documented classifier."""

    name: str
    summary: str
    data: str  # the known data set it is trained on unless another is given
    input_shape: tuple[int, int, int]  # (height, width, channels)
    settings: Settings
    build: Build


# In the order of registration; filled by the modules that `recipes/__init__.py` imports.
registry: dict[str, Recipe] = {}


def register(
    *, name: str, summary: str, data: str, input_shape: tuple[int, int, int], settings: Settings
) -> Callable[[Build], Build]:
    """Make the decorated `build` function a recipe.

    Raises:
        ValueError: the name is taken.
    """

    def decorate(build: Build) -> Build:
        if name in registry:
            raise ValueError(f"recipe {name!r}: a name that is not taken expected")
        registry[name] = Recipe(
            name=name, summary=summary, data=data, input_shape=input_shape, settings=settings, build=build
        )
        return build

    return decorate
