"""Each model's first turn: what the file is, and how often it is right on the labelled images."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from edgecnn_benchmarks.measuring.answers import FileAnswers, Predictions, compare, confusion
from edgecnn_benchmarks.measuring.candidates import Candidate, Subject
from edgecnn_benchmarks.measuring.labelled_images import BenchImages, SampleShelf
from edgecnn_benchmarks.measuring.result import Failure
from edgecnn_benchmarks.measuring.rounds import ReportRound
from edgecnn_benchmarks.process.worker_process import ModelFacts, WorkerError, WorkerProcess
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.system.cpu import available_cpus

# What a worker classifies before it reports back, so that a slow model is not taken for a hanging one.
_SECS_PER_REQUEST = 2.0


@dataclass(frozen=True)
class OpenedModel:
    """A model that opens, and its accuracy where labelled images fit it."""

    candidate: Candidate
    facts: ModelFacts
    # The .npy file with the images it is timed on.
    sample: Path
    accuracy: Accuracy | None = None
    # Share of the images, 0…1, on which it agrees with the Keras model.
    agreement: float | None = None
    # The labelled images, and what it answered to them.
    images: BenchImages | None = None
    predictions: Predictions | None = None


def measure_accuracy(
    subject: Subject, *, settings: BenchSettings, scratch: Path, report: ReportRound
) -> tuple[list[OpenedModel], list[Failure], list[Failure]]:
    """Open every model and let it classify all labelled images.

    Returns:
        The models, what failed, and what additional engines do not open.

    Raises:
        DataError: labelled images were given and fit not one of the models.
    """
    opened: list[OpenedModel] = []
    failures: list[Failure] = []
    unopened: list[Failure] = []
    misfits: list[DataError] = []
    shelf = SampleShelf(scratch)
    for index, candidate in enumerate(subject.candidates):
        label, count = candidate.label, len(subject.candidates)

        def report_share(share: float, label: str = label, index: int = index, count: int = count) -> None:
            report((index + share) / count, f"accuracy, {label}")

        report_share(0.0)
        try:
            start_worker = partial(candidate.start_worker, settings, threads=settings.threads[0], scratch=scratch)
            with start_worker() as worker:
                try:
                    images = subject.images.for_model(worker.facts, scratch=scratch)
                except DataError as error:
                    misfits.append(error)
                    failures.append(Failure(candidate.name, "accuracy", str(error)))
                    images = None
                if images is None:
                    opened.append(OpenedModel(candidate, worker.facts, shelf.generated(worker.facts.input)))
                    continue
                known = subject.images.keras_probabilities
                if candidate.is_keras and known is not None:
                    predictions = Predictions.of(known)
                else:
                    # Keras itself works on all processors, and each process of it takes a gigabyte.
                    processes = 1 if candidate.is_keras else max(1, available_cpus() // settings.threads[0])
                    predictions = _Classification(start_worker, images, report_share).run(worker, processes=processes)
            right = int(np.count_nonzero(predictions.classes == images.classes))
            opened.append(
                OpenedModel(
                    candidate,
                    worker.facts,
                    shelf.sample(images),
                    accuracy=Accuracy(right, len(images.classes)) if subject.images.has_labels else None,
                    agreement=None if known is None else float(np.mean(predictions.classes == known.argmax(axis=1))),
                    images=images,
                    predictions=predictions,
                )
            )
        except WorkerError as error:
            (unopened if candidate.is_additional else failures).append(Failure(candidate.name, "open", str(error)))
    if misfits and len(misfits) == len(opened):
        raise misfits[0]
    return opened, failures, unopened


class _Classification:
    """One model's answers to all images: by one process, and by one per processor where that takes long."""

    def __init__(
        self, start_worker: Callable[[], WorkerProcess], images: BenchImages, report_share: Callable[[float], None]
    ) -> None:
        self._start_worker, self._images, self._report_share = start_worker, images, report_share
        self._classes = np.zeros(len(images.classes), np.int64)
        self._probabilities = np.zeros(len(images.classes), np.float32)
        self._done, self._lock, self._stop = 0, threading.Lock(), threading.Event()

    def run(self, worker: WorkerProcess, *, processes: int) -> Predictions:
        """Classify; `worker` begins, and others join it where it has not finished within one request."""
        count = len(self._classes)
        done = self._ask(worker, 0, count)
        if done < count:
            bounds = np.linspace(done, count, processes + 1).astype(int).tolist()
            with ThreadPoolExecutor(processes) as pool:
                parts = [pool.submit(self._part, *part) for part in pairwise(bounds[1:])]
                try:
                    self._range(worker, bounds[0], bounds[1])
                    for part in parts:
                        part.result()
                except BaseException:
                    self._stop.set()
                    raise
        return Predictions(self._classes, self._probabilities)

    def _part(self, start: int, end: int) -> None:
        if not self._stop.is_set():
            with self._start_worker() as worker:
                self._range(worker, start, end)

    def _range(self, worker: WorkerProcess, start: int, end: int) -> None:
        while start < end and not self._stop.is_set():
            start += self._ask(worker, start, end)

    def _ask(self, worker: WorkerProcess, start: int, end: int) -> int:
        """Let a worker classify for a while; return how many images it did."""
        answer = worker.ask("classify", images=str(self._images.path), start=start, end=end, secs=_SECS_PER_REQUEST)
        done = len(answer["classes"])
        self._classes[start : start + done] = answer["classes"]
        self._probabilities[start : start + done] = answer["probabilities"]
        with self._lock:
            self._done += done
            self._report_share(self._done / len(self._classes))
        return done


def answers_of(opened: Sequence[OpenedModel], reference: OpenedModel) -> tuple[FileAnswers, ...]:
    """Compare what each model answered with what the reference did, which comes first."""
    others = [model for model in opened if model is not reference]
    return tuple(_answers(model, reference) for model in (reference, *others) if model.predictions is not None)


def _answers(model: OpenedModel, reference: OpenedModel) -> FileAnswers:
    assert model.images is not None  # both are set together
    assert model.predictions is not None
    labels, images = model.facts.labels, model.images
    against = None
    if model is not reference and reference.predictions is not None and _same(reference.images, images):
        against = compare(labels, images.classes, images.files, reference=reference.predictions, own=model.predictions)
    classes = model.predictions.classes
    return FileAnswers(
        candidate=model.candidate.name,
        labels=labels,
        confusion=confusion(labels, images.classes, classes),
        wrong=tuple(np.flatnonzero(classes != images.classes).tolist()),
        against=against,
    )


def _same(first: BenchImages | None, second: BenchImages) -> bool:
    return first is not None and first.path == second.path
