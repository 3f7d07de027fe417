"""The confusion matrix of one file, as inline SVG: rows are the labelled classes, columns the answers."""

import math
from collections.abc import Sequence

from edgecnn_benchmarks.report import svg
from edgecnn_benchmarks.statistics.quantities import percent, shorten

# Classes up to which a matrix can be read; above it `most_confused` says more.
MOST_CLASSES = 30

_SIDE = 400.0  # px of all cells
_LETTER, _SIZE = 7.0, 12.0  # px, width and height of a letter of a label
_LONGEST = 14  # letters of a label
# Cells of at least this size, in px, show their number.
_NUMBERED = 22.0
# The faintest and the strongest tint of a cell that is not empty; letters stay readable on both.
_FAINT, _STRONG = 0.14, 0.62


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]], *, name: str) -> str:
    """Draw the matrix; right answers and mistakes differ in colour, and every cell has its number.

    Args:
        labels: the classes, at most `MOST_CLASSES`.
        counts: how many images of each class (row) were given each answer (column).
        name: of the file, for those who cannot see the drawing.
    """
    shown = [shorten(label, _LONGEST) for label in labels]
    margin = max(len(label) for label in shown) * _LETTER + 14
    upright = margin > 30
    top = margin if upright else 26.0
    cell = _SIDE / len(labels)
    worst = max((_share(row, column, counts) for row, column in _mistakes(counts)), default=1.0)
    parts = [svg.element("rect", class_="matrix", x=margin, y=top, width=_SIDE, height=_SIDE)]
    for number, label in enumerate(shown):
        middle = (number + 0.5) * cell
        parts.append(svg.text(label, x=margin - 8, y=top + middle + 4, class_="tick", anchor="end"))
        parts.append(_column_head(label, margin + middle, top - 8, upright=upright))
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if count:
                place = margin + column * cell, top + row * cell
                parts.append(_cell(labels, counts, row, column, place, cell, worst))
    return svg.drawing(
        margin + _SIDE + 4,
        top + _SIDE + 4,
        *parts,
        label=f"Confusion matrix of {name}; arrow keys go from cell to cell",
        class_="confusion",
    )


def most_confused(
    labels: Sequence[str], counts: Sequence[Sequence[int]], *, most: int = 10
) -> list[tuple[str, str, int, int]]:
    """Return the commonest mistakes: labelled class, answer, how many, and of how many of that class.

    >>> most_confused(("cat", "dog"), ((7, 3), (1, 9)))
    [('cat', 'dog', 3, 10), ('dog', 'cat', 1, 10)]
    """
    ranked = sorted(_mistakes(counts), key=lambda place: -counts[place[0]][place[1]])
    return [(labels[row], labels[column], counts[row][column], sum(counts[row])) for row, column in ranked[:most]]


def _mistakes(counts: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(r, c) for r, line in enumerate(counts) for c, count in enumerate(line) if count and r != c]


def _share(row: int, column: int, counts: Sequence[Sequence[int]]) -> float:
    return counts[row][column] / sum(counts[row])


def _column_head(label: str, x: float, y: float, *, upright: bool) -> str:
    if not upright:
        return svg.text(label, x=x, y=y, class_="tick", anchor="middle")
    return svg.element(
        "g",
        svg.text(label, x=0.0, y=0.0, class_="tick"),
        transform=f"translate({x + 4:.1f} {y:.1f}) rotate(-90)",
    )


def _cell(
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    row: int,
    column: int,
    place: tuple[float, float],
    cell: float,
    worst: float,
) -> str:
    count, share, right = counts[row][column], _share(row, column, counts), row == column
    strength = share if right else math.sqrt(share / worst)
    x, y = place
    parts = [
        svg.element(
            "rect",
            class_="right" if right else "wrong",
            x=x,
            y=y,
            width=cell,
            height=cell,
            fill_opacity=f"{_FAINT + (_STRONG - _FAINT) * strength:.2f}",
        )
    ]
    if cell >= _NUMBERED and len(str(count)) * _LETTER < cell:
        parts.append(svg.text(str(count), x=x + cell / 2, y=y + cell / 2 + 4, class_="count", anchor="middle"))
    tip = f"is {labels[row]}, answer {labels[column]}\n{count:,} of {sum(counts[row]):,} images, {percent(share)}"
    return svg.telling(tip, *parts, data_row=str(row), data_column=str(column))
