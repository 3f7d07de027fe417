import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_models import own_onnx

from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import ImageError, ModelError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import Colour, GoldenCheck, InputSpec, Manifest, Scheme
from edgecnn_runtime.model_formats import ModelFile
from edgecnn_runtime.prediction import Prediction

MANIFEST = Manifest("grey", ("black", "dark", "bright", "white"), InputSpec(4, 6, Colour.GREY), Scheme.FLOAT32)


def _classifier(manifest: Manifest = MANIFEST) -> Classifier:
    return Classifier(FakeBackend(input_shape=(4, 6, 1), classes=4), manifest)


@pytest.mark.parametrize("shape", [(4, 6, 1), (1, 4, 6, 1), (5, 4, 6, 1)])
def test_one_image_gives_a_row_and_a_batch_gives_rows(shape: tuple[int, ...]) -> None:
    probabilities = _classifier().predict_proba(np.full(shape, 200, np.uint8))
    assert probabilities.shape == (*shape[:-3], 4)
    assert probabilities.dtype == np.float32
    assert (probabilities.argmax(axis=-1) == 3).all()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 6, 1), np.float32),
        np.zeros((6, 4, 1), np.uint8),
        np.zeros((4, 6), np.uint8),
        np.zeros((1, 1, 4, 6, 1), np.uint8),
    ],
)
def test_other_pixels_are_refused_with_both_shapes(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \(4, 6, 1\) or \(N, 4, 6, 1\), got .*; use predict\(\)"):
        _classifier().predict_proba(pixels)


@pytest.mark.parametrize("pixels", [None, [[1, 2]], "photo.jpg"])
def test_pixels_that_are_no_array_are_refused(pixels: object) -> None:
    with pytest.raises(ImageError, match=r"expected an array of uint8, got .*; use predict\(\)"):
        _classifier().predict_proba(pixels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("a", "b")}, "labels: expected 4, got 2"),
        ({"input": InputSpec(6, 4, Colour.GREY)}, r"expected an input of \(6, 4, 1\) as the manifest says"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _classifier(replace(MANIFEST, **change))  # type: ignore[arg-type]


def test_a_file_with_a_wrong_manifest_is_named_whether_it_is_read_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_onnx(tmp_path / "own.onnx")

    def refuse(_: bytes) -> Manifest:
        raise ModelError("expected another manifest")

    monkeypatch.setattr(Manifest, "from_json", refuse)
    for model in (path, ModelFile.read(path)):
        with pytest.raises(ModelError) as caught:
            Classifier.open_as(model)
        assert str(caught.value) == f"{path}: expected another manifest"


def test_top_is_sorted_and_stable() -> None:
    prediction = Prediction.of(np.array([0.2, 0.4, 0.4, 0.0], np.float32), MANIFEST.labels)
    assert (prediction.label, prediction.probability) == ("dark", pytest.approx(0.4))
    assert [label for label, _ in prediction.top(9)] == ["dark", "bright", "black", "white"]


@pytest.mark.parametrize(
    ("shift", "tolerance", "passed"),
    [(0, 0.0, True), (0.01, 0.02, True), (0.03, 0.02, False), (float("nan"), 0.15, False)],
)
def test_the_golden_check_allows_its_tolerance(shift: float, tolerance: float, passed: bool) -> None:
    expected = _classifier().predict_proba(golden_images(MANIFEST.input)).astype(float)
    expected[1, 2] += shift
    golden = GoldenCheck(tuple(map(tuple, expected.tolist())), tolerance)
    assert _classifier(replace(MANIFEST, golden=golden)).verify().passed is passed


def test_a_file_without_a_golden_check_cannot_be_verified() -> None:
    with pytest.raises(ModelError, match="expected a golden check in the manifest"):
        _classifier().verify()


def test_a_golden_check_of_another_shape_is_a_model_error() -> None:
    golden = GoldenCheck(((0.5, 0.5),), 0.1)
    with pytest.raises(ModelError, match="golden check"):
        _classifier(replace(MANIFEST, golden=golden)).verify()


class _Unguarded(FakeBackend):
    """Fails when two threads are inside at once."""

    inside = False

    def infer(self, pixels: np.ndarray) -> np.ndarray:
        assert not self.inside
        self.inside = True
        result = super().infer(pixels)
        self.inside = False
        return result


def test_threads_that_share_a_classifier_take_turns() -> None:
    classifier = Classifier(_Unguarded(input_shape=(4, 6, 1), classes=4), MANIFEST)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(300):
                classifier.predict_proba(np.zeros((4, 6, 1), np.uint8))
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
