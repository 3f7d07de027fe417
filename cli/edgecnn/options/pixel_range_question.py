"""What a command asks where a third-party file does not say what it takes for pixels: the lines to choose from."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    from edgecnn_runtime.model_formats import ModelFile
    from edgecnn_runtime.prediction import Prediction
    from edgecnn_runtime.third_party_models.opening import Opening
    from edgecnn_runtime.third_party_models.pixel_ranges import PixelRange, PixelRangeError

# Photos that are tried before one can be read.
_PHOTOS = 20
_LABELS = 2  # shown of an answer


class PixelQuestionError(InputError):
    """Which of these lines is right; the error says why it is asked."""

    def __init__(self, why: str, lines: Sequence[str]) -> None:
        """Ask by `lines`, each for a line of the screen."""
        super().__init__(why)
        self.lines = tuple(lines)


def question(
    error: "PixelRangeError", model: "ModelFile", opening: "Opening", photos: Iterable[Path]
) -> PixelQuestionError:
    """Return the line to type for each usual range, with the answer to a photo beside it where there is one."""
    command = ["edgecnn", *sys.argv[1:]]
    photo, answers = _answers(error.ranges, model, opening, photos)
    rows = []
    for one, answer in answers:
        labels = "" if answer is None else ", ".join(f"{label} {value:.2f}" for label, value in answer.top(_LABELS))
        rows.append((labels, one.name, shlex.join([*command, *one.option.split()])))
    if not rows:
        return PixelQuestionError(str(error), ())
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in rows
    ]
    which = "that it was trained with" if photo is None else f"whose answer to {photo} is right"
    why = f"{error.reason}; type the line {which}, or give --scale, --mean and --std:"
    return PixelQuestionError(why, lines)


def _answers(
    ranges: "tuple[PixelRange, ...]", model: "ModelFile", opening: "Opening", photos: Iterable[Path]
) -> "tuple[Path | None, list[tuple[PixelRange, Prediction | None]]]":
    """Classify the first photo that can be read under each range that fits what else was said."""
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.errors import ImageError
    from edgecnn_runtime.third_party_models.given import ColourOrder

    opened = []
    for one in ranges:
        given = opening.given
        if one.scaling.bgr and given.colour not in (None, ColourOrder.BGR):
            continue
        colour = ColourOrder.BGR if one.scaling.bgr else given.colour
        given = replace(given, scaling=one.scaling, colour=colour)
        try:
            # The file has run already, in a subprocess.
            opened.append((one, Classifier.open_as(model, replace(opening, given=given, trusted=True))))
        except InputError:  # three numbers for a grey image
            continue
    for photo in islice(photos, _PHOTOS):
        try:
            return photo, [(one, classifier.predict(photo)) for one, classifier in opened]
        except ImageError:
            continue
    return None, [(one, None) for one, _ in opened]
