"""What a file's answers change for each class, beside the reference: bars to both sides of a line."""

from collections.abc import Sequence

from edgecnn_benchmarks.report import svg
from edgecnn_benchmarks.statistics.quantities import percent, shorten

_WIDTH, _ROW, _BAR = 460, 26, 12
_LABEL_WIDTH, _FIGURE_WIDTH = 124, 84
_LONGEST = 15  # letters of a label
# Classes that are shown: those that change most.
_MOST = 15


def class_changes(
    labels: Sequence[str], changes: Sequence[float | None], counts: Sequence[Sequence[int]], *, name: str
) -> str:
    """Draw by how many points of accuracy each class gains or loses; nothing where none does.

    Args:
        labels: the classes.
        changes: accuracy of each, as a share, less that of the reference; None where no image is of it.
        counts: the file's confusion matrix.
        name: of the file.
    """
    changed = [(number, change) for number, change in enumerate(changes) if change]
    changed = sorted(sorted(changed, key=lambda pair: -abs(pair[1]))[:_MOST], key=lambda pair: pair[1])
    if not changed:
        return ""
    widest = max(abs(change) for _, change in changed)
    room = (_WIDTH - _LABEL_WIDTH - 2 * _FIGURE_WIDTH) / 2
    zero = _LABEL_WIDTH + _FIGURE_WIDTH + room
    drawn = []
    for place, (number, change) in enumerate(changed):
        middle, length = (place + 0.5) * _ROW, abs(change) / widest * room
        images = sum(counts[number])
        figure = f"{change * 100:+.2f} points"
        tip = (
            f"class {labels[number]}\n"
            f"{figure} against the reference: {round(change * images):+d} of {images:,} images\n"
            f"{percent(counts[number][number] / images)} of them right"
        )
        start = zero if change > 0 else zero - length
        end, anchor = (zero + length + 6, "start") if change > 0 else (zero - length - 6, "end")
        drawn.append(
            svg.telling(
                tip,
                svg.element("rect", class_="hit", x=0.0, y=middle - _ROW / 2, width=float(_WIDTH), height=float(_ROW)),
                svg.text(
                    shorten(labels[number], _LONGEST), x=_LABEL_WIDTH - 10, y=middle + 4.5, class_="label", anchor="end"
                ),
                svg.element(
                    "rect",
                    class_="gain" if change > 0 else "loss",
                    x=start,
                    y=middle - _BAR / 2,
                    width=max(length, 1.0),
                    height=float(_BAR),
                ),
                svg.text(figure, x=end, y=middle + 4.5, class_="value", anchor=anchor),
            )
        )
    bottom = len(changed) * _ROW
    return svg.drawing(
        _WIDTH,
        bottom,
        svg.line(zero, 0, zero, bottom, class_="axis"),
        *drawn,
        label=f"Change of each class's accuracy in {name}; arrow keys go from one to the next",
    )
