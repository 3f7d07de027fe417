"""Evaluate a model on labelled images, and leave the scores, the figures and each answer in a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.system.atomic_files import write_json, write_text
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_training.evaluation.labelled_images import LabelledImages
from edgecnn_training.evaluation.opened_model import OpenedModel
from edgecnn_training.evaluation.predictions import write_predictions
from edgecnn_training.evaluation.scores import Evaluation, evaluate

# Images at once; the scores do not depend on it. 16 MB of pixels at 300x300 RGB.
_BATCH = 64

# Called with the images done so far and a short text.
ReportPredicted = Callable[[int, str], None]


@dataclass(frozen=True)
class ModelEvaluation:
    """The scores of one model on one split, and where they were written."""

    evaluation: Evaluation
    folder: Path
    document: dict[str, Any]  # the content of metrics.json


def evaluate_model(
    model: OpenedModel, labelled: LabelledImages, *, output: Path | None = None, report: ReportPredicted | None = None
) -> ModelEvaluation:
    """Classify all images and write `metrics.json`, `classification_report.txt`, `predictions.csv` and figures.

    Args:
        model: what is evaluated.
        labelled: the images.
        output: the folder to write; default: `evaluation/<model file>/<data>_<split>` in the model's run, or here.
        report: called after each batch.

    Raises:
        OSError: a file cannot be written.
    """
    # Matplotlib loads as long as a small model takes to be evaluated.
    from edgecnn_training import figures

    probabilities = _classify(model, labelled.images, report)
    evaluation = evaluate(probabilities, labelled.images.labels, model.labels, copies=labelled.copies)
    folder = output or _default_folder(model, labelled)
    document = {
        "model": str(model.path),
        "data": labelled.data,
        "data_fingerprint": labelled.fingerprint,
        "split": labelled.split,
        **({"assumed": model.assumed} if model.assumed else {}),
        **evaluation.document(),
    }
    write_json(folder / "metrics.json", document)
    write_text(folder / "classification_report.txt", evaluation.report)
    write_predictions(folder / "predictions.csv", Portion.whole(labelled.images), probabilities, model.labels)
    figures.draw_evaluation(
        folder / "figures", evaluation, labelled.images, probabilities, model.labels, split=labelled.split
    )
    return ModelEvaluation(evaluation, folder, document)


def _classify(model: OpenedModel, images: Split, report: ReportPredicted | None) -> NDArray[np.float32]:
    probabilities = np.empty((len(images), len(model.labels)), np.float32)
    for start in range(0, len(images), _BATCH):
        batch = np.ascontiguousarray(images.images[start : start + _BATCH])
        probabilities[start : start + len(batch)] = model.probabilities(batch)
        if report is not None:
            report(start + len(batch), "")
    return probabilities


def _default_folder(model: OpenedModel, labelled: LabelledImages) -> Path:
    home = Path("evaluation") if model.run is None else model.run.evaluation
    return home / model.path.name / f"{labelled.data}_{labelled.split}"
