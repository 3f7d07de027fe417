"""The networks that are searched: width, depth, size and colour make an architecture, augmentation a candidate."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_runtime.errors import InputError
from edgecnn_training.automatic.set_looks import SetLooks
from edgecnn_training.networks.width import check_alpha
from edgecnn_training.recipe import Recipe
from edgecnn_training.recipes import at_width, get_recipe
from edgecnn_training.recipes.small_cnn import of_depth

_WIDTHS = (0.25, 0.5, 1.0, 2.0)
_DEPTHS = (3, 4, 5)
# Of sides that are not larger than those of the images; the smallest is taken in any case.
_SIDES = (24, 32, 48, 64, 96)
CHANNELS = {"grey": 1, "rgb": 3}


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched; None leaves it to the images."""

    widths: tuple[float, ...] = _WIDTHS
    depths: tuple[int, ...] = _DEPTHS
    sides: tuple[int, ...] | None = None
    colours: tuple[str, ...] | None = None
    augment: bool | None = None

    def __post_init__(self) -> None:
        for width in self.widths:
            check_alpha(width)
        for depth in self.depths:
            of_depth(str(depth))
        if self.sides is not None and min(self.sides) < 1:
            raise InputError(f"imgsz: expected at least 1, got {min(self.sides)}")
        for colour in self.colours or ():
            if colour not in CHANNELS:
                raise InputError(f"colour: expected some of {', '.join(CHANNELS)}, got {colour!r}")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What decides how long an int8 file takes and how large it is, whatever its weights are."""

    recipe: str
    shape: tuple[int, int, int]  # (height, width, channels)

    @property
    def name(self) -> str:
        """Its name: "small-cnn:3@0.5 48x48 grey"."""
        height, width, channels = self.shape
        return f"{self.recipe} {height}x{width} {'grey' if channels == 1 else 'rgb'}"

    def found(self) -> Recipe:
        """Return its recipe."""
        return get_recipe(self.recipe)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An architecture, and whether the images are changed while it is trained."""

    architecture: Architecture
    augment: bool

    @property
    def name(self) -> str:
        """Its name: that of the architecture, and "augmented" behind it."""
        return self.architecture.name + (" augmented" if self.augment else "")


def architectures(space: Space, looks: SetLooks, *, seed: int) -> list[Architecture]:
    """Return all architectures in random order, so that the first ones are a sample of them, however many they are.

    Raises:
        InputError: a size or colour was asked for that a prepared set does not have.
    """
    made = [
        Architecture(recipe=at_width(of_depth(str(depth)), width).name, shape=shape)
        for depth, width, shape in itertools.product(space.depths, space.widths, _shapes(space, looks))
    ]
    made = list(dict.fromkeys(made))
    random.Random(seed).shuffle(made)
    return made


def candidates(made: Sequence[Architecture], space: Space, *, seed: int) -> list[Candidate]:
    """Return the candidates of some architectures in random order."""
    changed = (False, True) if space.augment is None else (space.augment,)
    arms = [Candidate(architecture=each, augment=augment) for each in made for augment in changed]
    random.Random(seed).shuffle(arms)
    return arms


def _shapes(space: Space, looks: SetLooks) -> list[tuple[int, int, int]]:
    if looks.fixed is not None:
        height, width, channels = looks.fixed
        for option, asked, got in (
            ("imgsz", space.sides, (height, width)),
            ("colour", space.colours, next(name for name, count in CHANNELS.items() if count == channels)),
        ):
            if asked is not None and any(each not in (got, got[0]) for each in asked):
                shown = got if isinstance(got, str) else f"{height}x{width}"
                raise InputError(
                    f"{option}: expected {shown}, as the set is prepared so, got {', '.join(map(str, asked))}; leave "
                    "it out, or search on the images that the set was prepared from"
                )
        return [looks.fixed]
    sides = space.sides or tuple(side for side in _SIDES if side <= max(looks.side, _SIDES[0]))
    colours = space.colours or (("grey",) if looks.is_grey else ("grey", "rgb"))
    return [(side, side, CHANNELS[colour]) for side in sides for colour in colours]
