"""From plain int8 to what it takes: the cheapest way of quantizing that keeps the accuracy.

Each candidate is measured on the validation images, which were neither trained nor calibrated on, and where these are
few on training images as well: one of 84 images is 1.2 points, and a file that lost 3.8 points on test had gained one
there. The first candidate that loses no more than the budget on these images is taken. The test images are shown only
to the file that comes out.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import Statistics, measure_statistics
from edgecnn_export.int8.calibration import CalibrationImages, CalibrationMethod, choose_calibration
from edgecnn_export.int8.quantizable import FloatOperator, QuantizableGraph, names, tail
from edgecnn_export.proof.inference import infer_on_all_cores
from edgecnn_export.proof.parity import Parity, compare
from edgecnn_runtime.backends import Backend
from edgecnn_runtime.errors import GateError, InputError, MissingExtraError, ModelError
from edgecnn_runtime.manifest import Calibration
from edgecnn_runtime.workstation.image_set import Split

# What "more images" means, where there are as many.
_MORE_IMAGES = 1000
# Into how many neighbouring groups the operators with weights are divided to find which of them cost most; neighbours
# stay in float together, since what lies between two operators is rounded unless both are.
_GROUPS = 8
_MOST_GROUPS = 4  # that stay in float together
# Images on which the groups are compared with one another.
_COMPARED = 64
_TIMED = 20


class Quantizer(Protocol):
    """One container's way of making an int8 file."""

    @property
    def graph(self) -> QuantizableGraph:
        """The float32 graph."""

    def without_integer_form(self, statistics: Statistics) -> Sequence[FloatOperator]:
        """Return the operators that stay float32 in every file."""

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for the operators named."""

    def opened(self, content: bytes, *, first: bool = False) -> contextlib.AbstractContextManager[Backend]:
        """Open a file in the runtime, while a block runs; the first of its kind after a process of its own ran it.

        Raises:
            ModelError: the interpreter does not take it, or crashes on the first.
        """

    def trained_on(self) -> bytes:
        """Train on with the rounding of int8, and quantize.

        Raises:
            InputError: the network or its images are not such that it can be trained so.
            MissingExtraError: the toolkit is not installed.
            GateError: the process that trains died, or its training diverged.
        """


@dataclass(frozen=True)
class SearchImages:
    """The images that an accuracy search needs, and what the Keras model makes of them."""

    train: Split
    trained_on: NDArray[np.int64]  # positions in `train`
    chosen: CalibrationImages  # of them, for the first candidate
    images: NDArray[np.uint8]  # to measure each candidate on, the validation images first
    validated: int  # how many of them are validation images
    labels: NDArray[np.int64]
    # Of the model as trained, (N, classes): what each candidate is compared with.
    keras: NDArray[np.float32]
    # Of the weights that are quantized, where --prune, --cluster or --qat changed them since, the same.
    changed: NDArray[np.float32] | None = None
    labelled_by_model: bool = False

    def compare(self, probabilities: NDArray[np.float32], images: int | None = None) -> Parity:
        """Compare probabilities with those of the model as trained, on the first so many images or on all."""
        return compare(
            probabilities[:images],
            keras=self.keras[:images],
            labels=self.labels[:images],
            labelled_by_model=self.labelled_by_model,
        )


@dataclass(frozen=True)
class SearchCandidate:
    """One way of quantizing, and what it gave."""

    name: str
    validation: Parity
    parity: Parity  # on all images that candidates are measured on
    size: int  # bytes
    microseconds: float  # an image, one thread; a first impression, not a benchmark
    calibration: Calibration | None
    in_float: tuple[str, ...] = ()  # names of the operators that stay float32

    def to_document(self) -> dict[str, Any]:
        """Return the entry of `export.json`."""
        return {
            "rung": self.name,
            "validation": self.validation.accuracy.to_document(),
            "images": self.parity.accuracy.total,
            "drop_points": round(self.parity.drop, 4),
            "drop_at_most_points": round(self.parity.drop_at_most, 4),
            "expected_loss_points": round(self.parity.expected_loss, 4),
            "bytes": self.size,
            "microseconds": round(self.microseconds, 1),
            "in_float": list(self.in_float),
        }


@dataclass(frozen=True)
class Skipped:
    """One way of quantizing that could not be tried."""

    name: str
    reason: str

    def to_document(self) -> dict[str, Any]:
        """Return the entry of `export.json`."""
        return {"rung": self.name, "reason": self.reason}


@dataclass(frozen=True)
class SearchResult:
    """The file that was taken, and the candidates up to it."""

    content: bytes
    candidates: tuple[SearchCandidate, ...]
    skipped: tuple[Skipped, ...] = ()
    warning: str | None = None  # of the calibration

    @property
    def taken(self) -> SearchCandidate:
        """The candidate of the file: the last that was tried if it fits, else the one that loses least."""
        return self.candidates[-1]


def search(
    quantizer: Quantizer,
    material: SearchImages,
    *,
    method: CalibrationMethod,
    seed: int,
    max_drop: float,
    report: Callable[[SearchCandidate], object],
) -> SearchResult:
    """Try one way after the other until one fits.

    Args:
        quantizer: of the container.
        material: images.
        method: of the first candidate.
        seed: of the choice of more images.
        max_drop: points of accuracy that the file may lose.
        report: called after each candidate.

    Raises:
        GateError: an operator must be an integer one and has no such form, or the interpreter takes none of the files;
            one that it refuses is no candidate.
        MissingExtraError: the quantizer, or what `method` needs, is not installed.
    """
    tried: list[tuple[SearchCandidate, bytes]] = []
    skipped: list[Skipped] = []
    warning = None
    for way in _ways(quantizer, material, method, seed, max_drop):
        if isinstance(way, Skipped):
            skipped.append(way)
            continue
        try:
            with quantizer.opened(way.content, first=not tried) as backend:
                candidate = _measure(way, backend, material, names(quantizer.graph, way.in_float))
        except ModelError as error:
            skipped.append(Skipped(way.name, str(error)))
            continue
        warning = warning or way.warning
        tried.append((candidate, way.content))
        report(candidate)
        if fits(candidate.parity, max_drop):
            break
    else:
        if not tried:
            raise GateError(f"int8: expected a file that its interpreter takes; {skipped[0].reason}")
        # The best of those that do not fit comes last.
        tried.sort(key=lambda one: (one[0].parity.drop_at_most, one[0].parity.expected_loss), reverse=True)
    return SearchResult(tried[-1][1], tuple(candidate for candidate, _ in tried), tuple(skipped), warning)


def fits(parity: Parity, max_drop: float) -> bool:
    """Tell whether the images show that at most so many points are lost; a single image that flipped shows nothing."""
    return parity.lost + parity.gained <= 1 or parity.drop_at_most <= max_drop


@dataclass(frozen=True)
class _Way:
    """One way of quantizing, and its file."""

    name: str
    content: bytes
    calibration: Calibration | None
    in_float: Sequence[FloatOperator] = ()
    warning: str | None = None


def _measure(way: _Way, backend: Backend, material: SearchImages, in_float: tuple[str, ...]) -> SearchCandidate:
    probabilities = infer_on_all_cores(backend, material.images)
    timed = material.images[:_TIMED]
    started = time.perf_counter()
    backend.infer(timed)
    microseconds = 1e6 * (time.perf_counter() - started) / len(timed)
    return SearchCandidate(
        way.name,
        material.compare(probabilities, material.validated),
        material.compare(probabilities),
        len(way.content),
        microseconds,
        way.calibration,
        in_float,
    )


def _ways(
    quantizer: Quantizer, material: SearchImages, method: CalibrationMethod, seed: int, max_drop: float
) -> Iterator[_Way | Skipped]:
    """Make the files, cheapest for the device first, each only when it is asked for."""
    graph = quantizer.graph
    chosen, record = material.chosen.images, dataclasses.replace(material.chosen.record, method=str(method))
    plain = measure_statistics(graph, chosen, method)
    floats = tuple(quantizer.without_integer_form(plain))
    warning = plain.disagreement(unused=[name for operator in floats for name in operator.outputs])
    name = f"int8, {method}, {len(chosen)} images"
    yield _Way(name, quantizer.file(plain, floats), record, floats, warning)
    if material.changed is not None:
        weights = material.compare(material.changed)
        if not fits(weights, max_drop):
            # No file is better than its weights.
            loss = f"they lose {weights.drop:.2f} points, perhaps {weights.drop_at_most:.2f}"
            yield Skipped("other ways", f"the new weights do not fit in float32 either: {loss}; --optimize-epochs")
            return
    more = min(_MORE_IMAGES, len(material.trained_on))
    if more > len(chosen):
        many = choose_calibration(material.train, material.trained_on, images=more, seed=seed + 1)
        statistics = measure_statistics(graph, many.images, method)
        many_record = dataclasses.replace(many.record, method=str(method))
        yield _Way(f"int8, {method}, {more} images", quantizer.file(statistics, floats), many_record, floats)
    for other in CalibrationMethod:
        if other is method:
            continue
        name = f"int8, {other}, {len(chosen)} images"
        try:
            statistics = measure_statistics(graph, chosen, other)
        except MissingExtraError as error:
            yield Skipped(name, str(error))
            continue
        yield _Way(name, quantizer.file(statistics, floats), dataclasses.replace(record, method=str(other)), floats)
    for in_float in _left_in_float(quantizer, plain, chosen[:_COMPARED], floats):
        name = f"{len(in_float)} of {len(graph.operators)} operators in float32"
        yield _Way(name, quantizer.file(plain, in_float), record, in_float)
    name = "int8, quantization-aware training"
    try:
        trained = quantizer.trained_on()
    except (InputError, MissingExtraError, GateError) as error:
        yield Skipped(name, str(error))
    else:
        yield _Way(name, trained, None, floats)


def _left_in_float(
    quantizer: Quantizer, statistics: Statistics, images: NDArray[np.uint8], floats: Collection[FloatOperator]
) -> Iterator[list[FloatOperator]]:
    """Choose operators to stay float32, beside `floats`, which must: the group that helps most, then one more."""
    graph = quantizer.graph
    reference = np.stack([values[graph.operators[-1].output][0] for values in graph.activations(images)])

    def together(groups: Sequence[tuple[FloatOperator, ...]]) -> list[FloatOperator]:
        return list(dict.fromkeys([*floats, *(operator for group in groups for operator in group)]))

    def error(groups: Sequence[tuple[FloatOperator, ...]]) -> float:
        content = quantizer.file(statistics, together(groups))
        try:
            with quantizer.opened(content) as backend:
                return float(np.abs(backend.infer(images) - reference).mean())
        except ModelError:
            # The interpreter does not take it.
            return float("inf")

    groups = neighbours(graph, _GROUPS)
    chosen: set[int] = set()
    while len(chosen) < min(_MOST_GROUPS, len(groups) - 1):
        singles = [{number} for number in range(len(groups)) if number not in chosen]
        pairs = [{number, number + 1} for number in range(len(groups) - 1) if not chosen & {number, number + 1}]
        errors = {
            frozenset(numbers): error([groups[number] for number in sorted(chosen | numbers)])
            for numbers in (*singles, *pairs)
        }
        best, pair = (min(some, key=lambda one: errors[frozenset(one)], default=set()) for some in (singles, pairs))
        # Two neighbours at once, where what lies between them was the trouble.
        if pair and errors[frozenset(pair)] < errors[frozenset(best)] / 2:
            best = pair
        chosen |= best
        yield together([groups[number] for number in sorted(chosen)])


def neighbours(graph: QuantizableGraph, groups: int) -> list[tuple[FloatOperator, ...]]:
    """Divide the operators in front of the tail into runs of neighbours with about as many weighted ones each."""
    front = graph.operators[: -len(tail(graph))]
    if not front:
        return []
    starts = [index for index, operator in enumerate(front) if operator.weighted] or [0]
    bounds = [int(part[0]) for part in np.array_split(starts, min(groups, len(starts)))]
    bounds[0] = 0
    return [front[start:end] for start, end in zip(bounds, [*bounds[1:], len(front)], strict=True)]
