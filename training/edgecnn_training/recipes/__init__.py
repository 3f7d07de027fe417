"""The documented classifiers, one file each. Listing them loads no framework."""

import dataclasses
import fnmatch

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.width import AT_WIDTH, check_alpha, parse_alpha
from edgecnn_training.recipe import Recipe
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

# Those for the user's images first, then the best for the data of the notebooks, then what the notebooks do.
RECIPES: dict[str, Recipe] = {
    "small-cnn": small_cnn.SMALL_CNN,
    "resnet8": resnet8.RESNET8,
    "transfer": transfer.TRANSFER,
    "mnist-plus": plus.MNIST_PLUS,
    "signs-plus": plus.SIGNS_PLUS,
    "chinese-mnist-plus": plus.CHINESE_MNIST_PLUS,
    "casting-plus": plus.CASTING_PLUS,
    "symbols-plus": plus.SYMBOLS_PLUS,
    "mnist": mnist.MNIST,
    "signs": signs.SIGNS,
    "chinese-mnist": chinese_mnist.CHINESE_MNIST,
    "casting": casting.CASTING,
    "casting-augmented": casting.AUGMENTED,
    "casting-binary": casting.BINARY,
    "casting-mobilenetv2": casting_mobilenetv2.CASTING_MOBILENETV2,
    "symbols": symbols.SYMBOLS,
    "symbols-vgg16": symbols_vgg16.SYMBOLS_VGG16,
}


def get_recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    `transfer:ResNet50` is `transfer` on another base, `small-cnn:3` is `small-cnn` with three convolutions,
    and `small-cnn@0.5` is `small-cnn` at half its width.

    Raises:
        InputError: there is none.

    >>> get_recipe("mnist").input_shape
    (28, 28, 1)
    >>> get_recipe("transfer:MobileNetV2@0.35").alpha
    0.35
    """
    name, at, alpha = name.partition(AT_WIDTH)
    if at:
        return at_width(get_recipe(name), parse_alpha(alpha))
    if name.startswith(transfer.PREFIX):
        return transfer.transfer_to(name.removeprefix(transfer.PREFIX))
    if name.startswith(small_cnn.PREFIX):
        return small_cnn.of_depth(name.removeprefix(small_cnn.PREFIX))
    if name not in RECIPES:
        raise InputError(not_among("recipe", name, RECIPES))
    return RECIPES[name]


def at_width(recipe: Recipe, alpha: float) -> Recipe:
    """Return a recipe with `alpha` times the channels that are documented for it, as `small-cnn@0.5`.

    Raises:
        InputError: its network has one width, or none like that.

    >>> at_width(at_width(get_recipe("small-cnn"), 0.5), 0.25).name
    'small-cnn@0.25'
    """
    name = recipe.name.partition(AT_WIDTH)[0]
    if recipe.build_at is None:
        wide = ", ".join(each.name for each in RECIPES.values() if each.build_at is not None)
        raise InputError(
            f"alpha: expected a recipe of several widths ({wide}; of --backbone the MobileNets), got {name}; "
            "leave --alpha and --params out"
        )
    # What `run.json` says by the name is what is built.
    alpha = float(f"{check_alpha(alpha):g}")
    if alpha != 1:
        name += f"{AT_WIDTH}{alpha:g}"
    return dataclasses.replace(recipe, name=name, alpha=alpha, build=recipe.build_at(alpha))


def list_recipes(pattern: str = "*") -> tuple[Recipe, ...]:
    """Return the recipes whose names match a pattern of the shell, in the order of `RECIPES`.

    Raises:
        InputError: none matches.

    >>> [recipe.name for recipe in list_recipes("mnist*")]
    ['mnist-plus', 'mnist']
    """
    found = tuple(recipe for name, recipe in RECIPES.items() if fnmatch.fnmatchcase(name, pattern))
    if not found:
        raise InputError(not_among("recipe", pattern, RECIPES))
    return found
