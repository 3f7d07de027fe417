"""What a caller says about a third-party model."""

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_fit import ImageFit, RgbColour
from edgecnn_runtime.labels import label_lines
from edgecnn_runtime.manifest import Interpolation, Resize
from edgecnn_runtime.pixel_scaling import Numbers, PixelScaling, scaling_of_options


class Layout(enum.StrEnum):
    """The order of the axes of an input."""

    NHWC = "nhwc"  # channels last, as TensorFlow has it
    NCHW = "nchw"  # channels first, as PyTorch has it


class ColourOrder(enum.StrEnum):
    """What the channels of an input are."""

    RGB = "rgb"
    BGR = "bgr"  # as OpenCV reads images
    GREY = "grey"


class OutputForm(enum.StrEnum):
    """What comes out of a model."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


_Choice = TypeVar("_Choice", bound=enum.StrEnum)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the caller said; None where nothing."""

    labels: tuple[str, ...] | None = None
    scaling: PixelScaling | None = None
    layout: Layout | None = None
    colour: ColourOrder | None = None
    resize: Resize | None = None
    resize_size: int | None = None
    interpolation: Interpolation | None = None
    background: tuple[int, int, int] | None = None
    imgsz: tuple[int, int] | None = None  # (height, width)
    output_is: OutputForm | None = None
    output_name: str | None = None

    @classmethod
    def of(
        cls,
        *,
        labels: str | os.PathLike[str] | Sequence[str] | None = None,
        scale: Numbers | None = None,
        mean: Numbers | None = None,
        std: Numbers | None = None,
        preprocess: str | None = None,
        layout: str | None = None,
        colour: str | None = None,
        resize: str | None = None,
        resize_size: int | None = None,
        interpolation: str | None = None,
        background: RgbColour | None = None,
        imgsz: int | tuple[int, int] | None = None,
        output_is: str | None = None,
        output_name: str | None = None,
    ) -> "Given":
        """Read what a program or a command line gives; `Classifier.open` tells what each means.

        Raises:
            InputError: something is not what it must be.
        """
        scaling = scaling_of_options(scale=scale, mean=mean, std=std, preprocess=preprocess)
        order = _choice(ColourOrder, "--colour", "grey" if colour == "gray" else colour)
        if scaling is not None and scaling.bgr and order not in (None, ColourOrder.BGR):
            raise InputError(f"--preprocess {preprocess}: expected --colour bgr beside it, got {order}")
        return cls(
            labels=_labels(labels),
            scaling=scaling,
            layout=_choice(Layout, "--layout", layout),
            colour=ColourOrder.BGR if scaling is not None and scaling.bgr else order,
            **vars(
                ImageFit.of(resize=resize, resize_size=resize_size, interpolation=interpolation, background=background)
            ),
            imgsz=_size(imgsz),
            output_is=_choice(OutputForm, "--output-is", output_is),
            output_name=output_name,
        )

    @property
    def options(self) -> tuple[str, ...]:
        """The options that were given, by their names on the command line."""
        names = {"scaling": "--scale, --mean, --std or --preprocess"}
        return tuple(
            names.get(name, f"--{name.replace('_', '-')}") for name, value in vars(self).items() if value is not None
        )

    @property
    def fit(self) -> ImageFit:
        """What was said of how images are brought to the input."""
        return ImageFit(
            resize=self.resize,
            resize_size=self.resize_size,
            interpolation=self.interpolation,
            background=self.background,
        )


def _choice(kind: type[_Choice], option: str, text: str | None) -> _Choice | None:
    if text is None:
        return None
    if text.lower() not in list(kind):
        raise InputError(not_among(option, text, kind))
    return kind(text.lower())


def _size(imgsz: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if imgsz is None:
        return None
    height, width = (imgsz, imgsz) if isinstance(imgsz, int) else imgsz
    if min(height, width) < 1 or height * width > _LARGEST:
        raise InputError(f"--imgsz: expected 1 or more pixels, at most {_LARGEST:,} in all, got {height}x{width}")
    return height, width


# Pixels of an input: 8192 x 8192, more than any classifier takes.
_LARGEST = 1 << 26


def _labels(labels: str | os.PathLike[str] | Sequence[str] | None) -> tuple[str, ...] | None:
    if labels is None:
        return None
    if isinstance(labels, str | os.PathLike):
        return label_lines(labels)
    return tuple(str(label) for label in labels)
