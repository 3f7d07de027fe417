"""Accuracy over latency of what a search has tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_training.figures.style import BLUE, GREY, VERMILLION, tidy


@dataclass(frozen=True)
class Point:
    """A candidate."""

    name: str
    milliseconds: float
    kilobytes: float
    accuracy: Accuracy
    trained_whole: bool  # else it went out in an earlier rung, after less training
    taken: bool


def pareto(points: Sequence[Point], front: Sequence[int], *, title: str, most_ms: float | None) -> Figure:
    """Draw candidates by latency and accuracy, with 95 % intervals; the areas are the sizes of the files.

    Args:
        points: the candidates.
        front: the numbers of those that no other beats.
        title: above the figure.
        most_ms: the limit of the latency; None without one.
    """
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    axes = figure.subplots()
    largest = max(point.kilobytes for point in points)
    for whole, colour, label in ((False, GREY, "less trained, went out"), (True, BLUE, "trained to the end")):
        some = [point for point in points if point.trained_whole is whole]
        if not some:
            continue
        values = [100 * point.accuracy.value for point in some]
        spans = [[100 * bound for bound in point.accuracy.interval] for point in some]
        latencies = [point.milliseconds for point in some]
        if whole:
            ends = [
                [max(0.0, value - low) for value, (low, _) in zip(values, spans, strict=True)],
                [max(0.0, high - value) for value, (_, high) in zip(values, spans, strict=True)],
            ]
            axes.errorbar(latencies, values, yerr=ends, fmt="none", ecolor=colour, elinewidth=1.2, capsize=3, alpha=0.6)
        sizes = [40 + 260 * point.kilobytes / largest for point in some]
        axes.scatter(
            latencies,
            values,
            s=sizes,
            color=colour if whole else "none",
            edgecolors=colour,
            alpha=0.85 if whole else 0.5,
            label=label,
            zorder=3,
        )
    line = sorted((points[number] for number in front), key=lambda point: point.milliseconds)
    axes.plot(
        [point.milliseconds for point in line],
        [100 * point.accuracy.value for point in line],
        color=BLUE,
        linestyle="--",
        linewidth=1.2,
        label="Pareto front",
    )
    for point in points:
        if point.taken:
            axes.scatter(
                [point.milliseconds],
                [100 * point.accuracy.value],
                s=420,
                facecolors="none",
                edgecolors=VERMILLION,
                linewidths=2,
                label=f"taken: {point.name}",
                zorder=4,
            )
    # A limit that is far away would push all that there is to see into a corner.
    if most_ms is not None and most_ms < 5 * max(point.milliseconds for point in points):
        axes.axvline(most_ms, color=VERMILLION, linestyle=":", label="limit of the latency")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(title, fontsize=13, pad=12)
    axes.set_xlabel("latency of one image, ms (int8 TFLite); area: size of the file", fontsize=12)
    axes.set_ylabel("correct out of fold, %", fontsize=12)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=10, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, frameon=False)
    tidy(axes)
    return figure
