"""The candidates of an accuracy search one by one, with a quantizer whose files are as bad as a test wants them."""

import contextlib
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_export.int8 import accuracy_search
from edgecnn_export.int8.accuracy_search import SearchImages, fits
from edgecnn_export.int8.calibration import CalibrationMethod, choose_calibration
from edgecnn_export.int8.converted_file import ConvertedFile, SearchCandidate
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.proof.parity import KerasReference
from edgecnn_runtime.errors import EdgecnnError, GateError, InputError, MissingExtraError, ModelError
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import Split

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 2, 2, 1), np.uint8)
LABELS = np.arange(40) % 2
RIGHT = np.eye(2, dtype=np.float32)[LABELS]
WRONG = RIGHT[:, ::-1]
# Black and white, which the front is measured on, are none of them.
NUMBERS = {image.tobytes(): number for number, image in enumerate(IMAGES)}
OPERATORS = tuple(
    FloatOperator(kind, kind, (inputs,), (kind,), weighted)
    for kind, inputs, weighted in (("first", "pixels", True), ("second", "first", True), ("last", "second", True))
)


def with_wrong(images: int) -> NDArray[np.float32]:
    """Answers that are wrong on so many images: on the first, or, counted below zero, on the last."""
    answers = RIGHT.copy()
    chosen = slice(images) if images >= 0 else slice(images, None)
    answers[chosen] = WRONG[chosen]
    return answers


@dataclass
class Graph:
    """Operators that pass the pixels on."""

    operators: tuple[FloatOperator, ...] = OPERATORS
    pixels = "pixels"

    def activations(self, images: NDArray[np.uint8]):  # type: ignore[no-untyped-def]
        for image in images:
            values = image[np.newaxis].astype(np.float32)
            yield {"last": RIGHT[[NUMBERS.get(image.tobytes(), 0)]]} | dict.fromkeys(
                ("pixels", *(operator.output for operator in self.operators[:-1])), values
            )


class Backend:
    """Gives fixed probabilities for each image."""

    def __init__(self, probabilities: NDArray[np.float32]) -> None:
        self.probabilities = probabilities

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.probabilities[[NUMBERS[image.tobytes()] for image in images]]

    def another(self) -> "Backend":
        return self


@dataclass
class Quantizer:
    """Files named by what is in them; `right` of them answer as Keras does, `refused` ones cannot be opened."""

    suffix = ".tflite"

    right: Sequence[bytes] = ()
    refused: Sequence[bytes] = ()
    training: EdgecnnError | None = None
    plain: bytes = b"plain"
    made: list[bytes] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)  # of each file that was opened, whether a subprocess tried it
    # On how many images a file is wrong, from the first on or from the last; all where it is not named.
    wrong: Mapping[bytes, int] = field(default_factory=dict)
    seen: list[Statistics] = field(default_factory=list)  # of each file
    graph: Graph = field(default_factory=Graph)

    def without_integer_form(self, statistics: Statistics) -> Sequence[FloatOperator]:
        return ()

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        self.made.append(b"mixed" if in_float else self.plain)
        self.seen.append(statistics)
        return self.made[-1]

    @contextlib.contextmanager
    def opened(self, content: bytes, suffix: str, *, images: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
        """Stand in for `proof.inference.opened`."""
        assert suffix == self.suffix
        self.first.append(images is not None)
        if content in self.refused:
            raise ModelError("expected an operator that the interpreter has")
        yield Backend(RIGHT if content in self.right else with_wrong(self.wrong.get(content, len(IMAGES))))

    def after_qat(self) -> "Quantizer":
        if self.training is not None:
            raise self.training
        return replace(self, plain=b"trained")


def searched(
    quantizer: Quantizer,
    changed: NDArray[np.float32] | None = None,
    method: str = "minmax",
    validated: int = 40,
    *,
    calibrations: bool = False,
    calibrated_on: int = 20,
) -> ConvertedFile:
    """Search, without the calibrations by ONNX Runtime, which take a second, unless a test is about them."""
    training = Portion(Split(IMAGES, LABELS, tuple(map(str, range(40)))), np.arange(40))
    calibration = choose_calibration(training, images=calibrated_on, seed=0)
    images = SearchImages(training, calibration, KerasReference(IMAGES, LABELS, RIGHT), validated, changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_search, "opened", quantizer.opened)
        if not calibrations:
            patch.setitem(sys.modules, "onnxruntime.quantization.calibrate", None)
        return accuracy_search.search(
            quantizer,  # type: ignore[arg-type]
            images,
            after_qat=quantizer.after_qat,  # type: ignore[arg-type]
            method=CalibrationMethod(method),
            seed=0,
            max_drop=1,
            report=lambda candidate: None,
        )


def skipped(result: ConvertedFile) -> Mapping[str, str]:
    return {candidate.name: candidate.reason for candidate in result.quantization.skipped}


def taken(result: ConvertedFile) -> SearchCandidate:
    return result.quantization.candidates[-1]


def test_training_that_cannot_be_done_is_named_with_its_reason() -> None:
    quantizer = Quantizer(training=InputError("expected layers that the toolkit knows, got Conv3D"))
    result = searched(quantizer, calibrations=True)
    assert skipped(result) == {
        "int8, quantization-aware training": "expected layers that the toolkit knows, got Conv3D"
    }
    assert "int8, quantization-aware training" not in [candidate.name for candidate in result.quantization.candidates]


def test_training_that_helps_is_taken() -> None:
    result = searched(Quantizer(right=[b"trained"]), calibrations=True)
    assert taken(result).name == "int8, quantization-aware training"
    assert result.content == b"trained"
    assert skipped(result) == {}


def test_without_onnx_runtime_two_calibrations_are_left_out() -> None:
    result = searched(Quantizer(right=[b"mixed"]))
    assert {name: reason.partition("run: ")[2] for name, reason in skipped(result).items()} == {
        "int8, percentile, 20 images": 'pip install "edgecnn[onnx]"',
        "int8, entropy, 20 images": 'pip install "edgecnn[onnx]"',
    }
    assert result.quantization.in_float
    # Asked for by name it is what is missing.
    with pytest.raises(MissingExtraError, match="calibration by entropy needs the package onnxruntime"):
        searched(Quantizer(), method="entropy")


def test_files_run_in_a_subprocess_until_one_has_run() -> None:
    quantizer = Quantizer(right=[b"trained"], refused=[b"plain"])
    searched(quantizer)
    # Mixed files are opened in between, only to be compared with one another.
    assert quantizer.first.count(True) == quantizer.made.count(b"plain") + 1
    assert quantizer.first[0] is True
    assert quantizer.first[-1] is False


def test_a_file_that_the_interpreter_refuses_is_named() -> None:
    result = searched(Quantizer(right=[b"mixed"], refused=[b"plain"]), calibrations=True)
    assert set(skipped(result).values()) == {"expected an operator that the interpreter has"}
    assert result.content == b"mixed"
    with pytest.raises(GateError, match="int8: expected a file that its interpreter takes; expected an operator"):
        searched(Quantizer(refused=[b"plain", b"mixed", b"trained"]))


def test_weights_that_do_not_fit_themselves_end_the_search() -> None:
    """What --prune has made is compared with the model as trained, as the gate does; no file is better than that."""
    quantizer = Quantizer()
    result = searched(quantizer, changed=WRONG)
    assert [candidate.name for candidate in result.quantization.candidates] == ["int8, minmax, 20 images"]
    assert taken(result).parity.drop == 100
    assert "do not fit in float32 either: they lose 100.00 points" in skipped(result)["other candidates"]
    assert quantizer.made == [b"plain"]


def test_new_weights_that_fit_are_quantized() -> None:
    assert searched(Quantizer(right=[b"mixed"]), changed=RIGHT).content == b"mixed"


def test_few_images_that_show_no_loss_prove_nothing() -> None:
    """Three lost and three gained of 40: no drop, but it may be ten points; one that flips is let pass."""
    flips = RIGHT.copy()
    flips[:3] = WRONG[:3]
    keras = RIGHT.copy()
    keras[3:6] = WRONG[3:6]
    parity = KerasReference(IMAGES, LABELS, keras).parity(flips)
    assert parity.drop == 0
    assert parity.drop_at_most == pytest.approx(100 * 1.6449 * np.sqrt(6) / 40)
    assert not fits(parity, 1)
    reference = KerasReference(IMAGES, LABELS, RIGHT)
    assert [fits(reference.parity(with_wrong(flips)), 1) for flips in (0, 1, 2)] == [True, True, False]


@pytest.mark.parametrize(
    ("wrong", "taken_name"),
    [
        ({b"plain": 30, b"mixed": 10, b"trained": 20}, "1 of 3 operators in float32"),
        ({b"plain": 30, b"mixed": 20, b"trained": 10}, "int8, quantization-aware training"),
    ],
)
def test_the_best_is_taken_where_none_fits(wrong: Mapping[bytes, int], taken_name: str) -> None:
    result = searched(Quantizer(wrong=wrong))
    assert taken(result).name == taken_name
    assert taken(result).parity.lost == 10
    losses = [candidate.parity.lost for candidate in result.quantization.candidates]
    assert losses == sorted(losses, reverse=True)


def test_validation_images_are_told_apart_from_all_that_are_measured() -> None:
    """The last 20 are training images; what is lost there counts too."""
    result = searched(Quantizer(wrong={b"plain": -15}, right=[b"mixed"]), validated=20)
    plain = result.quantization.candidates[0]
    assert (plain.validation.accuracy.total, plain.validation.lost) == (20, 0)
    assert (plain.parity.accuracy.total, plain.parity.lost) == (40, 15)


def test_other_calibrations_are_made_from_their_own_images_and_say_so() -> None:
    """20 images, then all 40 that were trained on, then the 20 by two other methods."""
    quantizer = Quantizer(right=[b"trained"])
    result = searched(quantizer, calibrations=True)
    records = [candidate.calibration for candidate in result.quantization.candidates[:4]]
    assert [(record.images, record.method) for record in records if record is not None] == [
        (20, "minmax"),
        (40, "minmax"),
        (20, "percentile"),
        (20, "entropy"),
    ]
    plain, more, *_ = (statistics.means["pixels"].item() for statistics in quantizer.seen)
    assert more == pytest.approx(IMAGES.mean())
    assert plain != more
    # Training has no ranges of images.
    assert taken(result).calibration is None


def test_all_images_are_not_calibrated_on_twice() -> None:
    result = searched(Quantizer(right=[b"mixed"]), calibrated_on=40)
    assert [candidate.name for candidate in result.quantization.candidates] == [
        "int8, minmax, 40 images",
        "1 of 3 operators in float32",
    ]


def chain(operators: int) -> Graph:
    """So many weighted operators, named by letters, in front of the last."""
    letters = "abcdefgh"[:operators]
    inputs = ("pixels", *letters)
    return Graph(
        (
            *(FloatOperator("conv", name, (inputs[place],), (name,), True) for place, name in enumerate(letters)),
            FloatOperator("dense", "last", (letters[-1],), ("last",), True),
        )
    )


@dataclass
class Graded(Quantizer):
    """Files named by their operators in float32, which answer as far off as `errors` says; 9.0 where it does not."""

    errors: Mapping[str, float] = field(default_factory=dict)

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        self.made.append("".join(operator.label for operator in in_float).encode())
        return self.made[-1]

    @contextlib.contextmanager
    def opened(self, content: bytes, suffix: str, *, images: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
        if content in self.refused:
            raise ModelError("expected an operator that the interpreter has")
        # On average, (error, 1 - error) in place of (0, 1) is as far from it.
        error = self.errors.get(content.decode(), 9.0)
        yield Backend(RIGHT + error * (WRONG - RIGHT))


def left_in_float(errors: Mapping[str, float], *, operators: int = 5, refused: Sequence[bytes] = ()) -> list[str]:
    """Name the operators of each file of which some stay in float32, in the order in which they are tried."""
    quantizer = Graded(graph=chain(operators), errors=errors, refused=refused, training=InputError("no"))
    return ["".join(c.in_float) for c in searched(quantizer).quantization.candidates if c.in_float]


def as_tried(errors: Mapping[str, float], **options: Any) -> list[str]:
    return sorted(left_in_float(errors, **options), key=len)


def test_the_group_that_helps_most_stays_in_float_then_one_more() -> None:
    errors = {"b": 5.0, "d": 6.0, "bd": 4.0, "abd": 3.0, "bde": 2.0, "abde": 1.5}
    assert as_tried(errors) == ["b", "bd", "bde", "abde"]


@pytest.mark.parametrize(("error", "first"), [(2.4, "cd"), (2.6, "b")])
def test_two_neighbours_stay_in_float_where_that_halves_the_error(error: float, first: str) -> None:
    assert as_tried({"b": 5.0, "cd": error})[0] == first


def test_a_group_whose_file_is_refused_is_not_the_best() -> None:
    assert as_tried({"b": 5.0, "c": 1.0}, refused=[b"c"])[0] == "b"


def test_each_step_compares_every_group_and_pair_that_is_left_once() -> None:
    """With b chosen of abcd: a, c and d alone, and c with d."""
    quantizer = Graded(graph=chain(4), errors={"b": 5.0}, training=InputError("no"))
    searched(quantizer)
    tried = [content.decode() for content in quantizer.made if content]
    first_step = ["a", "b", "c", "d", "ab", "bc", "cd"]
    assert tried[:12] == [*first_step, "b", "ab", "bc", "bd", "bcd"]


def test_the_time_of_a_candidate_is_that_of_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second for the 20 images that are timed."""
    monkeypatch.setattr(accuracy_search, "time", SimpleNamespace(perf_counter=itertools.count(0, 0.5).__next__))
    candidate = taken(searched(Quantizer(right=[b"plain"])))
    assert candidate.microseconds == pytest.approx(25_000)
    assert candidate.size == len(b"plain")
