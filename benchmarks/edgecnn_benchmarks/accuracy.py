"""Each model's first turn: what the file is, and how often it is right on the labelled images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.answers import Answers, Predictions, compare, confusion
from edgecnn_benchmarks.candidates import Candidate, Subject
from edgecnn_benchmarks.labelled_images import ImageShelf, LabelledImages
from edgecnn_benchmarks.result import Failure
from edgecnn_benchmarks.rounds import Report
from edgecnn_benchmarks.settings import Settings
from edgecnn_benchmarks.worker_process import ModelFacts, WorkerError, WorkerProcess
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import DataError

# What a worker classifies before it reports back, so that a slow model is not taken for a hanging one.
_SECS_A_REQUEST = 2.0


@dataclass(frozen=True)
class Opened:
    """A model that opens, and its accuracy where labelled images fit it."""

    candidate: Candidate
    facts: ModelFacts
    # The .npy file with the images it is timed on.
    sample: Path
    accuracy: Accuracy | None = None
    # Share of the images, 0…1, on which it agrees with the Keras model.
    agreement: float | None = None
    # The labelled images, and what it answered to them.
    images: LabelledImages | None = None
    predictions: Predictions | None = None


def measure_accuracy(
    subject: Subject, *, shelf: ImageShelf, settings: Settings, scratch: Path, report: Report
) -> tuple[list[Opened], list[Failure]]:
    """Open every model and let it classify all labelled images.

    Raises:
        DataError: labelled images were given and fit not one of the models.
    """
    opened: list[Opened] = []
    failures: list[Failure] = []
    misfits: list[DataError] = []
    for index, candidate in enumerate(subject.candidates):
        label, count = candidate.label, len(subject.candidates)

        def report_share(share: float, label: str = label, index: int = index, count: int = count) -> None:
            report((index + share) / count, f"accuracy, {label}")

        report_share(0.0)
        try:
            with WorkerProcess(
                candidate.path,
                threads=settings.threads[0],
                timeout=settings.timeout,
                folder=scratch,
                opening=settings.opening,
                command=candidate.worker,
            ) as worker:
                try:
                    images = shelf.labelled(worker.facts) if subject.has_data else None
                except DataError as error:
                    misfits.append(error)
                    failures.append(Failure(candidate.name, "accuracy", str(error)))
                    images = None
                opened.append(_classify(candidate, worker, images, subject, shelf, report_share))
        except WorkerError as error:
            failures.append(Failure(candidate.name, "open", str(error)))
    if misfits and len(misfits) == len(opened):
        raise misfits[0]
    return opened, failures


def _classify(
    candidate: Candidate,
    worker: WorkerProcess,
    images: LabelledImages | None,
    subject: Subject,
    shelf: ImageShelf,
    report_share: Callable[[float], None],
) -> Opened:
    if images is None:
        return Opened(candidate, worker.facts, shelf.generated(worker.facts.input))
    predictions = _ask_predictions(worker, images, report_share)
    agreement = None
    if subject.keras_probabilities is not None:
        agreement = float(np.mean(predictions.classes == subject.keras_probabilities.argmax(axis=1)))
    return Opened(
        candidate,
        worker.facts,
        shelf.sample(images),
        accuracy=Accuracy(int(np.count_nonzero(predictions.classes == images.classes)), len(images.classes))
        if subject.has_labels
        else None,
        agreement=agreement,
        images=images,
        predictions=predictions,
    )


def _ask_predictions(
    worker: WorkerProcess, images: LabelledImages, report_share: Callable[[float], None]
) -> Predictions:
    classes: list[int] = []
    probabilities: list[float] = []
    while len(classes) < len(images.classes):
        answer = worker.ask("classify", images=str(images.path), start=len(classes), secs=_SECS_A_REQUEST)
        classes += answer["classes"]
        probabilities += answer["probabilities"]
        report_share(len(classes) / len(images.classes))
    return Predictions(np.array(classes), np.array(probabilities, np.float32))


def answers_of(opened: Sequence[Opened], reference: Opened) -> tuple[Answers, ...]:
    """Set what each model answered against what the reference did, which comes first."""
    others = [model for model in opened if model is not reference]
    return tuple(_answers(model, reference) for model in (reference, *others) if model.predictions is not None)


def _answers(model: Opened, reference: Opened) -> Answers:
    assert model.images is not None  # both are set together
    assert model.predictions is not None
    labels, images = model.facts.labels, model.images
    against = None
    if model is not reference and reference.predictions is not None and reference.images is images:
        against = compare(labels, images.classes, images.files, reference=reference.predictions, own=model.predictions)
    return Answers(model.candidate.name, labels, confusion(labels, images.classes, model.predictions.classes), against)
