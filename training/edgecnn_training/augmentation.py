"""How the training images are changed at random; `augmentation_layers.py` and `soft_labels.py` do it."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgecnn_runtime.choices import choose, did_you_mean
from edgecnn_runtime.errors import InputError


class Border(enum.StrEnum):
    """What shows where a moved image does not reach."""

    NEAREST = "nearest"  # the pixels of its edge, drawn out
    BLACK = "black"
    WHITE = "white"


def _up_to(most: float) -> Any:
    """Declare a change of 0 (none) to `most`."""
    return dataclasses.field(default=0.0, metadata={"most": most})


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each image is changed at most; 0 leaves a change out.

    How far an image is in fact changed is drawn for each one anew, evenly from nothing to the most.

    Raises:
        InputError: a value is out of range.

    >>> str(Augmentation(flip_horizontal=True, rotation=0.1))
    'flip-horizontal,rotation=0.1'
    """

    flip_horizontal: bool = False  # of every second image
    flip_vertical: bool = False
    rotation: float = _up_to(1.0)  # in full turns, either way
    zoom_in: float = _up_to(0.9)  # this share of the sides is cut off around the centre, and the rest fills the image
    zoom_out: float = _up_to(10.0)  # so much of a side is added around the image
    crop: float = _up_to(0.9)  # this share of the sides is cut off, wherever, and the rest fills the image
    height: float = _up_to(0.9)  # the image alone grows or shrinks along this side, by this share of it
    width: float = _up_to(0.9)
    shift: float = _up_to(1.0)  # along each side, as a share of it
    shear: float = _up_to(1.0)  # the slope of a vertical or horizontal line afterwards
    border: Border = Border.NEAREST
    rand_augment: float = _up_to(1.0)  # the strength of two changes, drawn of thirteen for each image
    contrast: float = _up_to(1.0)  # the distance from the mean is multiplied by 1 ± this
    brightness: float = _up_to(1.0)  # this share of 255 is added or taken off
    blur: float = _up_to(10.0)  # deviation of the Gaussian in pixels
    noise: float = _up_to(1.0)  # deviation of Gaussian noise, as a share of 255
    erasing: float = _up_to(0.9)  # share of the image's area that noise replaces
    # With the next image of the batch, and the label with it; half of the images each, where both are asked for. The
    # shares are drawn from Beta(a, a) of this value: even at 1, mostly near 0 and 1 at 0.2.
    mixup: float = _up_to(10.0)  # the images are averaged
    cutmix: float = _up_to(10.0)  # a rectangle of the other image is pasted in

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, name = getattr(self, field.name), _shown(field.name)
            if field.name == "border":
                object.__setattr__(self, "border", choose(Border, "augmentation: border", str(value)))
            elif field.default is False:
                if not isinstance(value, bool):
                    raise InputError(f"augmentation: {name}: expected true or false, got {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"augmentation: {name}: expected a number, as in {name}=0.1, got {value!r}")
            elif not 0 <= value <= field.metadata["most"]:
                raise InputError(f"augmentation: {name}: expected 0…{field.metadata['most']:g}, got {value:g}")
            else:
                object.__setattr__(self, field.name, float(value))

    @classmethod
    def of(cls, described: "Augmentation | str | Mapping[str, Any]") -> "Augmentation":
        """Return the changes that are named, and no others.

        Args:
            described: as on the command line, "flip-horizontal,rotation=0.1"; or values by name, as in TOML and JSON.

        Raises:
            InputError: a name is unknown or comes twice, a value is missing or out of range, or nothing is changed.

        >>> Augmentation.of("flip-horizontal,zoom-in=0.2") == Augmentation(flip_horizontal=True, zoom_in=0.2)
        True
        """
        if isinstance(described, Augmentation):
            return described
        values = _parsed(described) if isinstance(described, str) else described
        fields = {_shown(field.name): field for field in dataclasses.fields(cls)}
        given: dict[str, Any] = {}
        for key, value in values.items():
            name = _shown(str(key))
            if name not in fields:
                raise InputError(
                    f"augmentation: expected changes among {', '.join(fields)}, got {key!r}{did_you_mean(name, fields)}"
                )
            if fields[name].name in given:
                raise InputError(f"augmentation: expected each change once, got {name} twice")
            given[fields[name].name] = value
        made = cls(**given)
        if not made:
            raise InputError(
                f"augmentation: expected at least one change, got {str(described) or 'nothing'!r}; "
                "name some, as in flip-horizontal,rotation=0.1, or leave it out"
            )
        return made

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return any(getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "border")

    def __str__(self) -> str:
        """Describe the changes as the command line takes them."""
        changed = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        values = ((_shown(field.name), getattr(self, field.name)) for field in changed)
        return ",".join(name if value is True else f"{name}={value}" for name, value in values)

    @property
    def moves_pixels(self) -> bool:
        """Whether each image is moved, turned or scaled."""
        return any(getattr(self, name) for name in _MOVES)

    @property
    def mixes_images(self) -> bool:
        """Whether images are mixed with others, and their labels with them."""
        return bool(self.mixup or self.cutmix)


_MOVES = (
    "flip_horizontal", "flip_vertical", "rotation", "zoom_in", "zoom_out", "crop", "height", "width", "shift", "shear",
)  # fmt: skip


def _shown(name: str) -> str:
    return name.strip().replace("_", "-")


def _parsed(text: str) -> dict[str, Any]:
    """Read "flip-horizontal,rotation=0.1": a name alone switches a change on."""
    values: dict[str, Any] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, has_value, value = (part.strip() for part in item.partition("="))
        if name in values:
            raise InputError(f"augmentation: expected each change once, got {name} twice")
        values[name] = _number(name, value) if has_value else True
    return values


def _number(name: str, text: str) -> Any:
    """Return the number or the word behind a name."""
    if _shown(name) == "border":
        return text
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        raise InputError(f"augmentation: {name}: expected a number, as in {name}=0.1, got {text!r}") from None


# What an image of anything bears. Nothing is mirrored: a mirrored digit, letter or sign is another one, or none.
ANYTHING = Augmentation(contrast=0.2, rotation=0.03, zoom_in=0.1, zoom_out=0.1, shift=0.05)

# All changes, as the command line names them.
CHANGES = tuple(_shown(field.name) for field in dataclasses.fields(Augmentation))
