"""The documented classifiers, one file each. Listing them loads no framework."""

from edgecnn_runtime.errors import InputError
from edgecnn_training.recipe import Recipe, registry

# Each module registers its recipe; the imports are spelled out so that nothing registers itself from afar.
from edgecnn_training.recipes import mnist

__all__ = ["get_recipe", "list_recipes", "mnist"]


def get_recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        InputError: there is none.

    >>> get_recipe("mnist").input_shape
    (28, 28, 1)
    """
    if name not in registry:
        raise InputError(f"recipe: one of {', '.join(registry)} expected, got {name!r}")
    return registry[name]


def list_recipes() -> tuple[Recipe, ...]:
    """Return all recipes.

    >>> [recipe.name for recipe in list_recipes()]
    ['mnist']
    """
    return tuple(registry.values())
