"""How an image is brought to a model's input, as far as somebody says it: a caller, or the metadata of a file."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn_runtime.choices import choose
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Decode, InputSpec, Interpolation, Resize

# What a caller may give for a colour: "white", "#727272", "114,114,114" or three numbers, red, green, blue, 0…255.
RgbColour = str | Sequence[int]


@dataclass(frozen=True, kw_only=True)
class ImageFit:
    """The part of an `InputSpec` that no model file of others shows; None where nothing is said."""

    resize: Resize | None = None
    resize_size: int | None = None
    interpolation: Interpolation | None = None
    background: tuple[int, int, int] | None = None

    @classmethod
    def of(
        cls,
        *,
        resize: str | None = None,
        resize_size: int | None = None,
        interpolation: str | None = None,
        background: RgbColour | None = None,
    ) -> "ImageFit":
        """Read what a program or a command line gives.

        Raises:
            InputError: something is not what it must be.
        """
        policy = None if resize is None else choose(Resize, "--resize", resize)
        if resize_size is not None and policy not in (None, Resize.CROP):
            raise InputError(f"--resize-size: expected --resize crop beside it, or none, got --resize {policy}")
        return cls(
            resize=Resize.CROP if resize_size is not None else policy,
            resize_size=resize_size,
            interpolation=None if interpolation is None else choose(Interpolation, "--interpolation", interpolation),
            background=None if background is None else _rgb(background),
        )

    def or_else(self, other: "ImageFit") -> "ImageFit":
        """Return what this says, and what another says where this says nothing."""
        return ImageFit(
            resize=self.resize or other.resize,
            # Part of the resize policy, and said with it.
            resize_size=other.resize_size if self.resize is None else self.resize_size,
            interpolation=self.interpolation or other.interpolation,
            background=self.background if self.background is not None else other.background,
        )

    def applied_to(self, spec: InputSpec) -> InputSpec:
        """Return an input with what is said here; the rest stays.

        Raises:
            InputError: it does not fit the size of the input.
        """
        said: dict[str, Any] = {name: value for name, value in vars(self).items() if value is not None}
        if self.resize is not None:
            said["resize_size"] = self.resize_size
        if self.interpolation is not None and not self.interpolation.antialiased:
            said["decode"] = Decode.FULL
        try:
            return dataclasses.replace(spec, **said)
        except ValueError as error:
            raise InputError(f"--{str(error).replace('resize_size', 'resize-size', 1)}") from error


def shown_colour(background: tuple[int, int, int]) -> str:
    """Return a colour as `--background` takes it.

    >>> shown_colour((255, 255, 255)), shown_colour((0, 128, 255))
    ('white', '0,128,255')
    """
    return {(255, 255, 255): "white", (0, 0, 0): "black"}.get(background, ",".join(map(str, background)))


def shown_resize(spec: InputSpec) -> str:
    """Return the resize policy in words.

    >>> from edgecnn_runtime.manifest import Colour
    >>> shown_resize(InputSpec(224, 224, Colour.RGB, Resize.CROP, resize_size=256))
    'crop, after the shorter side is resized to 256'
    """
    if spec.resize_size is None:
        return spec.resize.value
    return f"{spec.resize}, after the shorter side is resized to {spec.resize_size}"


def _rgb(given: RgbColour) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        if isinstance(given, str):
            parts = given.split(",")
            values = tuple(int(part) for part in parts) if len(parts) > 1 else ImageColor.getrgb(given.strip())
        else:
            values = tuple(int(value) for value in given)
    except (TypeError, ValueError):
        values = ()
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        raise InputError(
            f"--background: expected a colour, as white, #727272 or 114,114,114 (red, green, blue), got {given!r}"
        )
    return values
