"""The widest network that stays within a number of parameters."""

import bisect
import functools
import math
from collections.abc import Sequence

import keras

from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.frozen_base import IMAGENET_WIDTHS
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.network_size import size_of
from edgecnn_training.networks.width import NARROWEST, WIDEST
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.recipes import at_width
from edgecnn_training.settings import IMAGENET

# Widths are tried in hundredths: one of them changes the parameters by some percent.
_WIDTHS = tuple(hundredths / 100 for hundredths in range(round(100 * NARROWEST), round(100 * WIDEST) + 1))


def widest_within(
    recipe: Recipe, parameters: int, *, classes: int, shape: Shape, weights: str | None = None
) -> tuple[Recipe, int]:
    """Return a recipe at the largest width whose network has at most so many parameters, and how many it has.

    Args:
        recipe: of several widths.
        parameters: at most, all of the network: those of a frozen base and the statistics of batch norm are among them.
        classes: how many the network distinguishes.
        shape: of its images.
        weights: of its pretrained base; with those of ImageNet only widths are tried that have some.

    Raises:
        InputError: the recipe's network has one width, or more parameters even at the smallest.
    """
    widths: Sequence[float] = _WIDTHS
    if recipe.base is not None and weights == IMAGENET:
        widths = IMAGENET_WIDTHS.get(recipe.base, widths)

    @functools.cache
    def counted(number: int) -> tuple[Recipe, int]:
        candidate = at_width(recipe, widths[number])
        count = size_of(build_network(keras, candidate, classes, shape=shape)).parameters
        # A search builds some twenty networks.
        keras.backend.clear_session()
        return candidate, count

    def fits(number: int) -> bool:
        return counted(number)[1] <= parameters

    # Parameters grow about with the square of the width, so the search begins close to its end: building takes time.
    likely = math.sqrt(parameters / counted(widths.index(1.0))[1])
    within = beyond = min(bisect.bisect(widths, likely), len(widths) - 1)
    step = 1
    while beyond < len(widths) and fits(beyond):
        within, beyond, step = beyond, beyond + step, 2 * step
    while within > 0 and not fits(within):
        within, beyond, step = max(0, within - step), within, 2 * step
    if not fits(within):
        raise InputError(
            f"params: expected at least {counted(0)[1]:,}, the fewest that {recipe.name} has with {classes} classes "
            f"(--alpha {widths[0]:g}), got {parameters:,}; give more, or another recipe"
        )
    beyond = min(beyond, len(widths))
    while beyond - within > 1:
        middle = (within + beyond) // 2
        within, beyond = (middle, beyond) if fits(middle) else (within, middle)
    return counted(within)
