"""Precision, recall and F1 of each class."""

import numpy as np
from matplotlib.figure import Figure

from edgecnn_training.evaluation.scores import Evaluation
from edgecnn_training.figures.style import BLUE, VERMILLION, accuracy_in_words, tidy


def classification_report(evaluation: Evaluation, labels: tuple[str, ...], *, split: str = "test") -> Figure:
    """Draw precision, recall and F1 of each class, on an axis that begins where the scores do."""
    rows = evaluation.per_class
    figure = Figure(figsize=(9, max(3.6, 0.42 * len(rows) + 1.8)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    lowest = min(min(row.precision, row.recall) for row in rows)
    axes.hlines(
        places,
        [min(row.precision, row.recall) for row in rows],
        [max(row.precision, row.recall) for row in rows],
        color="#BBBBBB",
        linewidth=3,
        zorder=1,
    )
    axes.scatter([row.precision for row in rows], places, marker="s", s=60, color=VERMILLION, label="precision")
    axes.scatter([row.recall for row in rows], places, marker="o", s=70, color=BLUE, label="recall")
    axes.scatter([row.f1 for row in rows], places, marker="|", s=160, color="black", label="F1", linewidths=2)
    named = zip(labels, rows, strict=True)
    axes.set_yticks(places, [f"{label}   (n = {row.support:,})" for label, row in named], fontsize=12)
    axes.invert_yaxis()
    # A margin of a tenth on either side, so that no mark is cut.
    margin = max(0.002, (1 - lowest) * 0.1)
    axes.set_xlim(max(-0.02, lowest - margin), 1 + margin)
    axes.set_xlabel("score", fontsize=12)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(
        f"Classification report, {split} split: weighted F1 {evaluation.weighted_f1:.4f}\n"
        f"{accuracy_in_words(evaluation.accuracy)}",
        fontsize=14,
    )
    figure.legend(loc="outside lower center", ncols=3, fontsize=11, frameon=False)
    tidy(axes)
    return figure
