"""The candidates of an accuracy search one by one, with a quantizer whose files are as bad as a test wants them."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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


class Graph:
    """Three operators that pass the pixels on."""

    pixels = "pixels"
    operators = OPERATORS

    def activations(self, images: NDArray[np.uint8]):  # type: ignore[no-untyped-def]
        for image in images:
            values = image[np.newaxis].astype(np.float32)
            yield {"last": RIGHT[[NUMBERS.get(image.tobytes(), 0)]]} | dict.fromkeys(
                ("pixels", "first", "second"), values
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
    graph = Graph()

    def without_integer_form(self, statistics: Statistics) -> Sequence[FloatOperator]:
        return ()

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        self.made.append(b"mixed" if in_float else self.plain)
        return self.made[-1]

    @contextlib.contextmanager
    def opened(self, content: bytes, suffix: str, *, images: NDArray[np.uint8] | None = None) -> Iterator[Backend]:
        """Stand in for `proof.inference.opened`."""
        assert suffix == self.suffix
        self.first.append(images is not None)
        if content in self.refused:
            raise ModelError("expected an operator that the interpreter has")
        yield Backend(RIGHT if content in self.right else WRONG)

    def after_qat(self) -> "Quantizer":
        if self.training is not None:
            raise self.training
        return replace(self, plain=b"trained")


def searched(quantizer: Quantizer, changed: NDArray[np.float32] | None = None, method: str = "minmax") -> ConvertedFile:
    training = Portion(Split(IMAGES, LABELS, tuple(map(str, range(40)))), np.arange(40))
    calibration = choose_calibration(training, images=20, seed=0)
    images = SearchImages(training, calibration, KerasReference(IMAGES, LABELS, RIGHT), 40, changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy_search, "opened", quantizer.opened)
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
    result = searched(Quantizer(training=InputError("expected layers that the toolkit knows, got Conv3D")))
    assert skipped(result) == {
        "int8, quantization-aware training": "expected layers that the toolkit knows, got Conv3D"
    }
    assert "int8, quantization-aware training" not in [candidate.name for candidate in result.quantization.candidates]


def test_training_that_helps_is_taken() -> None:
    result = searched(Quantizer(right=[b"trained"]))
    assert taken(result).name == "int8, quantization-aware training"
    assert result.content == b"trained"
    assert skipped(result) == {}


def test_without_onnx_runtime_two_calibrations_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization.calibrate", None)
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
    result = searched(Quantizer(right=[b"mixed"], refused=[b"plain"]))
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
    flips = RIGHT.copy()
    flips[0] = WRONG[0]
    assert fits(KerasReference(IMAGES, LABELS, RIGHT).parity(flips), 1)
