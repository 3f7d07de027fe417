"""From plain int8 to what it takes: the cheapest candidate that keeps the accuracy.

Each candidate is measured on the validation images, which were neither trained nor calibrated on, and where these are
few on training images as well: one of 84 images is 1.2 points. The first candidate that loses no more than the budget
on these images is taken. The test images are shown only to the file that comes out.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationImages, CalibrationMethod, choose_calibration
from edgecnn_export.int8.converted_file import ConvertedFile, Quantization, SearchCandidate, Skipped
from edgecnn_export.int8.quantizable import FloatOperator, QuantizableGraph, Quantizer, Statistics, names, tail
from edgecnn_export.proof.inference import infer_on_all_cores, opened
from edgecnn_export.proof.parity import KerasReference, Parity
from edgecnn_runtime.errors import GateError, InputError, MissingExtraError, ModelError
from edgecnn_runtime.manifest import Calibration
from edgecnn_runtime.workstation.division import Portion

# What "more images" means, where there are as many.
_MORE_IMAGES = 1000
# Into how many neighbouring groups the operators with weights are divided to find which of them cost most; neighbours
# stay in float together, since what lies between two operators is rounded unless both are.
_GROUPS = 8
_MOST_GROUPS = 4  # that stay in float together
# Images on which the groups are compared with one another.
_COMPARED = 64
_TIMED = 20


@dataclass(frozen=True)
class SearchImages:
    """The images that an accuracy search needs, and what the Keras model makes of them."""

    training: Portion  # what the model was trained on
    calibration: CalibrationImages  # of them, for the first candidate
    measured: KerasReference  # on which each candidate is measured, the validation images first
    validated: int  # how many of them are validation images
    # Of the weights that are quantized, where --prune, --cluster or --qat changed them since training: (N, classes).
    changed: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class _CandidateFile:
    """One way of quantizing, and its file."""

    name: str
    calibration: Calibration | None
    content: bytes
    in_float: tuple[FloatOperator, ...]
    statistics: Statistics
    warning: str | None


def quantize_once(quantizer: Quantizer, calibration: CalibrationImages, method: CalibrationMethod) -> ConvertedFile:
    """Quantize all that has an integer form, without a search.

    Args:
        quantizer: of the container.
        calibration: the images.
        method: of the calibration.

    Raises:
        GateError, MissingExtraError: as `Quantizer.file`; an activation is no finite number.
    """
    file = _plain_file(quantizer, calibration, method)
    in_float = names(quantizer.graph, file.in_float)
    return ConvertedFile(file.content, Quantization(file.calibration, in_float, file.warning))


def search(
    quantizer: Quantizer,
    images: SearchImages,
    *,
    after_qat: Callable[[], Quantizer],
    method: CalibrationMethod,
    seed: int,
    max_drop: float,
    report: Callable[[SearchCandidate], object],
) -> ConvertedFile:
    """Try one candidate after the other until one fits.

    Args:
        quantizer: of the container.
        images: to calibrate and to measure on.
        after_qat: trains the network with the rounding of int8, and returns the quantizer of the new weights; an
            InputError, MissingExtraError or GateError of it leaves this candidate out.
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
    for file in _candidate_files(quantizer, images, after_qat, method, seed, max_drop):
        if isinstance(file, Skipped):
            skipped.append(file)
            continue
        try:
            candidate = _measure(file, quantizer, images, crashes=not tried)
        except ModelError as error:
            skipped.append(Skipped(file.name, str(error)))
            continue
        warning = warning or file.warning
        tried.append((candidate, file.content))
        report(candidate)
        if fits(candidate.parity, max_drop):
            break
    else:
        if not tried:
            raise GateError(f"int8: expected a file that its interpreter takes; {skipped[0].reason}")
        # The best of those that do not fit comes last.
        tried.sort(key=lambda one: (one[0].parity.drop_at_most, one[0].parity.expected_loss), reverse=True)
    candidate, content = tried[-1]
    candidates = tuple(candidate for candidate, _ in tried)
    return ConvertedFile(
        content, Quantization(candidate.calibration, candidate.in_float, warning, candidates, tuple(skipped))
    )


def fits(parity: Parity, max_drop: float) -> bool:
    """Tell whether the images show that at most so many points are lost; a single image that flipped shows nothing."""
    return parity.lost + parity.gained <= 1 or parity.drop_at_most <= max_drop


def _measure(file: _CandidateFile, quantizer: Quantizer, images: SearchImages, *, crashes: bool) -> SearchCandidate:
    """Measure a candidate; where its interpreter may crash on it, a subprocess runs it before."""
    with opened(file.content, quantizer.suffix, images=images.calibration.images[:1] if crashes else None) as backend:
        probabilities = infer_on_all_cores(backend, images.measured.images)
        started = time.perf_counter()
        timed = backend.infer(images.measured.images[:_TIMED])
        seconds = time.perf_counter() - started
    return SearchCandidate(
        name=file.name,
        validation=images.measured.parity(probabilities[: images.validated]),
        parity=images.measured.parity(probabilities),
        size=len(file.content),
        microseconds=1e6 * seconds / len(timed),
        calibration=file.calibration,
        in_float=names(quantizer.graph, file.in_float),
    )


def _plain_file(quantizer: Quantizer, calibration: CalibrationImages, method: CalibrationMethod) -> _CandidateFile:
    """Quantize all that has an integer form."""
    statistics = measure_statistics(quantizer.graph, calibration.images, method)
    in_float = tuple(quantizer.without_integer_form(statistics))
    content = quantizer.file(statistics, in_float)
    warning = statistics.disagreement(unused=[output for operator in in_float for output in operator.outputs])
    return _CandidateFile(*calibration.by(method), content, in_float, statistics, warning)


def _candidate_files(
    quantizer: Quantizer,
    images: SearchImages,
    after_qat: Callable[[], Quantizer],
    method: CalibrationMethod,
    seed: int,
    max_drop: float,
) -> Iterator[_CandidateFile | Skipped]:
    """Make the files, cheapest for the device first, each only when it is asked for."""
    plain = _plain_file(quantizer, images.calibration, method)
    yield plain
    if images.changed is not None:
        parity = images.measured.parity(images.changed)
        if not fits(parity, max_drop):
            # No file is better than its weights.
            loss = f"they lose {parity.drop:.2f} points, perhaps {parity.drop_at_most:.2f}"
            yield Skipped(
                "other candidates", f"the new weights do not fit in float32 either: {loss}; --optimize-epochs"
            )
            return
    more = min(_MORE_IMAGES, len(images.training))
    if more > len(images.calibration.images):
        yield _recalibrated(quantizer, plain, choose_calibration(images.training, images=more, seed=seed + 1), method)
    for other in CalibrationMethod:
        if other is not method:
            yield _recalibrated(quantizer, plain, images.calibration, other)
    for in_float in _left_in_float(quantizer, plain, images.calibration.images[:_COMPARED]):
        name = f"{len(in_float)} of {len(quantizer.graph.operators)} operators in float32"
        content = quantizer.file(plain.statistics, in_float)
        yield replace(plain, name=name, content=content, in_float=in_float)
    name = "int8, quantization-aware training"
    try:
        trained = _plain_file(after_qat(), images.calibration, CalibrationMethod.MINMAX)
    except (InputError, MissingExtraError, GateError) as error:
        yield Skipped(name, str(error))
    else:
        yield replace(plain, name=name, calibration=None, content=trained.content)


def _recalibrated(
    quantizer: Quantizer, plain: _CandidateFile, calibration: CalibrationImages, method: CalibrationMethod
) -> _CandidateFile | Skipped:
    """Quantize with other ranges."""
    name, record = calibration.by(method)
    try:
        statistics = measure_statistics(quantizer.graph, calibration.images, method)
    except MissingExtraError as error:
        return Skipped(name, str(error))
    return replace(plain, name=name, calibration=record, content=quantizer.file(statistics, plain.in_float))


def _left_in_float(
    quantizer: Quantizer, plain: _CandidateFile, images: NDArray[np.uint8]
) -> Iterator[tuple[FloatOperator, ...]]:
    """Choose operators to stay float32, beside those that must: the group that helps most, then one more."""
    graph = quantizer.graph
    reference = np.stack([activations[graph.operators[-1].output][0] for activations in graph.activations(images)])

    def together(groups: Sequence[tuple[FloatOperator, ...]]) -> tuple[FloatOperator, ...]:
        return tuple(dict.fromkeys([*plain.in_float, *(operator for group in groups for operator in group)]))

    def error(groups: Sequence[tuple[FloatOperator, ...]]) -> float:
        content = quantizer.file(plain.statistics, together(groups))
        try:
            with opened(content, quantizer.suffix) as backend:
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
