"""The documented classifiers, one file each. Listing them loads no framework."""

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_training.recipe import Recipe, registry

# Each module registers its recipes; the imports are spelled out so that nothing registers itself from afar.
from edgecnn_training.recipes import (
    casting,
    casting_mobilenetv2,
    chinese_mnist,
    mnist,
    plus,
    resnet8,
    signs,
    small_cnn,
    symbols,
    symbols_vgg16,
    transfer,
)

__all__ = [
    "casting",
    "casting_mobilenetv2",
    "chinese_mnist",
    "get_recipe",
    "list_recipes",
    "mnist",
    "plus",
    "resnet8",
    "signs",
    "small_cnn",
    "symbols",
    "symbols_vgg16",
    "transfer",
]


def get_recipe(name: str) -> Recipe:
    """Return the recipe of that name; `transfer:ResNet50` is `transfer` on another base.

    Raises:
        InputError: there is none.

    >>> get_recipe("mnist").input_shape
    (28, 28, 1)
    """
    if name.startswith(transfer.PREFIX):
        return transfer.transfer_to(name.removeprefix(transfer.PREFIX))
    if name not in registry:
        raise InputError(not_among("recipe", name, registry))
    return registry[name]


def list_recipes() -> tuple[Recipe, ...]:
    """Return all recipes, by name.

    >>> [recipe.name for recipe in list_recipes()][:3]
    ['casting', 'casting-augmented', 'casting-binary']
    """
    return tuple(registry[name] for name in sorted(registry))
