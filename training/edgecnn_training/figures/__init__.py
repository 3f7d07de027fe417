"""The figures of a run and of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.system.atomic_files import write_text
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.evaluation.scores import Evaluation
from edgecnn_training.figures.class_scores import classification_report
from edgecnn_training.figures.confusion import confusion_matrix, normalised_confusion_matrix
from edgecnn_training.figures.curves import training_curves
from edgecnn_training.figures.curves_page import curves_page
from edgecnn_training.figures.galleries import misclassified, predictions
from edgecnn_training.figures.labels import drawable
from edgecnn_training.figures.network_diagram import network_diagram
from edgecnn_training.figures.style import write_png
from edgecnn_training.history import Epoch
from edgecnn_training.networks.network_layers import layer_rows


def draw_all(
    folder: RunFolder,
    history: Sequence[Epoch],
    best: Epoch,
    evaluation: Evaluation,
    images: Split,
    probabilities: NDArray[np.float32],
    labels: tuple[str, ...],
    *,
    model: Any,
    split: str = "test",
) -> None:
    """Draw every figure of a run into `figures/`.

    Args:
        folder: the run.
        history: the scores of the epochs.
        best: the one of them whose weights the model has.
        evaluation: the scores.
        images: the N images that it was made on.
        probabilities: `(N, classes)`, what was given for them.
        labels: the names of the classes.
        model: the Keras model.
        split: the name of these images, for the titles.
    """
    write_png(training_curves(history, best), folder.figures / "training_curves.png")
    write_text(folder.figures / "training_curves.html", curves_page(history, best, name=folder.name))
    write_png(network_diagram(layer_rows(model), name=model.name), folder.figures / "network.png")
    draw_evaluation(folder.figures, evaluation, images, probabilities, labels, split=split.replace("_", " "))


def draw_evaluation(
    folder: Path,
    evaluation: Evaluation,
    images: Split,
    probabilities: NDArray[np.float32],
    labels: tuple[str, ...],
    *,
    split: str = "test",
) -> None:
    """Draw the figures of an evaluation.

    Args:
        folder: where the PNG files go.
        evaluation: the scores.
        images: the N images it was made on.
        probabilities: `(N, classes)`, what the model gave for them.
        labels: the names of the classes.
        split: the name of the split, for the titles.
    """
    fit_to_draw = drawable(labels)
    names = fit_to_draw.labels
    with fit_to_draw.in_use():
        for name, figure in (
            ("confusion_matrix", confusion_matrix(evaluation, names, split=split)),
            ("confusion_matrix_normalised", normalised_confusion_matrix(evaluation, names, split=split)),
            ("classification_report", classification_report(evaluation, names, split=split)),
            ("misclassified", misclassified(images, probabilities, names, split=split)),
            ("predictions", predictions(images, probabilities, names, split=split)),
        ):
            write_png(figure, folder / f"{name}.png")
