"""The images to which a file and the reference give different answers, as small pictures with both answers."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from edgecnn_benchmarks.measuring.answers import Flip
from edgecnn_benchmarks.statistics.quantities import shorten

# Pictures of a report, each small (see `pictures`): some hundred kilobytes at most.
MOST = 24
# Letters of a file's or a class's name.
_LETTERS = 40


def flipped_images(flips: Sequence[Flip], pictures: Mapping[int, bytes], *, reference: str, file: str) -> str:
    """Write a list of the images, `MOST` of them.

    Args:
        flips: what both answered.
        pictures: the images as PNG, by their number in the test data; one that is missing is described in words.
        reference: the label of the file compared with.
        file: the label of the file.
    """
    items = "".join(f"<li>{''.join(_item(flip, pictures, reference, file))}</li>" for flip in flips[:MOST])
    return f'<ul class="flips">{items}</ul>' if items else ""


def _item(flip: Flip, pictures: Mapping[int, bytes], reference: str, file: str) -> Iterator[str]:
    kind, meaning = _kind(flip)
    name = escape(shorten(flip.image, _LETTERS))
    if flip.index in pictures:
        source = base64.b64encode(pictures[flip.index]).decode()
        yield f'<img src="data:image/png;base64,{source}" alt="{name}">'
    yield f'<div><b class="{kind}">{meaning}</b><span>labelled {escape(shorten(flip.label, _LETTERS))}</span>'
    for who, answer, probability in (
        (reference, flip.reference, flip.reference_probability),
        (file, flip.answer, flip.probability),
    ):
        yield (
            f"<span><i>{escape(shorten(who, 22))}</i> says {escape(shorten(answer, _LETTERS))}, "
            f"{probability * 100:.1f} % sure</span>"
        )
    yield f"<small>{name}</small></div>"


def _kind(flip: Flip) -> tuple[str, str]:
    if flip.reference == flip.label:
        return "lost", "✗ lost"
    return ("won", "✓ won") if flip.answer == flip.label else ("other", "≠ both wrong")
