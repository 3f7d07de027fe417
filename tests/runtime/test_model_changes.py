"""What becomes of an opened classifier when its file, its folder or its process changes."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from own_models import OWN
from PIL import Image
from third_party_models import HEIGHT, LABELS, WIDTH, ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, ModelError
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.model_formats import ModelFile

IMAGES = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH, 3), np.uint8)
OLD, NEW = ThirdParty(batch=None), ThirdParty(batch=None, gain=-0.3)
WRITERS = {".tflite": write_tflite, ".onnx": write_onnx}
ENGINES = [(".tflite", "litert"), (".onnx", "onnxruntime"), (".tflite", "openvino"), (".onnx", "openvino")]


def _replace(model: Path, other: Path) -> None:
    other.replace(model)


def _write_over(model: Path, other: Path) -> None:
    with model.open("r+b") as file:
        file.write(other.read_bytes())


def _cut(model: Path, _: Path) -> None:
    model.write_bytes(b"")


def _remove_folder(model: Path, _: Path) -> None:
    shutil.rmtree(model.parent)


def _leave_folder(_: Path, other: Path) -> None:
    os.chdir(other.parent)


CHANGES = [_replace, _write_over, _cut, _remove_folder, _leave_folder]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(len(IMAGES))]
    for path, pixels in zip(paths, IMAGES, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def _opened(folder: Path, suffix: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Classifier, Path, Path]:
    """Open a model by a relative name; return it, its file, and a file of the same size that answers otherwise."""
    if engine == "openvino":
        needs.package("openvino", "edgecnn[openvino]")
    (folder / "models").mkdir()
    model = WRITERS[suffix](folder / "models" / f"m{suffix}", OLD)
    other = WRITERS[suffix](folder / f"other{suffix}", NEW)
    monkeypatch.chdir(model.parent)
    classifier = Classifier.open(model.name, engine=engine, labels=LABELS, scale="1/255", layout="nhwc", trusted=True)
    return classifier, model, other


def _answers(classifier: Classifier, photos: list[Path], *, workers: int) -> NDArray[np.float32]:
    predictions = [item.prediction for item in classifier.predict_many(photos, workers=workers)]
    return np.array([prediction.probabilities for prediction in predictions if prediction is not None])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__[1:])
@pytest.mark.parametrize(("suffix", "engine"), ENGINES)
def test_a_classifier_answers_from_the_file_it_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    photos: list[Path],
    suffix: str,
    engine: str,
    change: Callable[[Path, Path], None],
) -> None:
    classifier, model, other = _opened(tmp_path, suffix, engine, monkeypatch)
    expected = OLD.answer(IMAGES / 255)
    assert np.abs(NEW.answer(IMAGES / 255) - expected).max() > 0.1
    change(model, other)
    np.testing.assert_allclose([classifier.predict(path).probabilities for path in photos], expected, atol=1e-5)
    for workers in (1, 3):
        np.testing.assert_allclose(_answers(classifier, photos, workers=workers), expected, atol=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_weights_beside_a_model_are_those_of_its_opening(tmp_path: Path, photos: list[Path], engine: str) -> None:
    onnx = needs.package("onnx")
    needs.package(engine)
    for folder, kind in (("old", OLD), ("new", NEW)):
        (tmp_path / folder).mkdir()
        path = write_onnx(tmp_path / folder / "m.onnx", kind)
        onnx.save(onnx.load(path), path, save_as_external_data=True, location="m.data", size_threshold=64)
    classifier = Classifier.open(tmp_path / "old" / "m.onnx", engine=engine, labels=LABELS, scale="1/255", trusted=True)
    if engine == "onnxruntime" and "m.data" in Path("/proc/self/maps").read_text():
        needs.skip(needs.Need.SYSTEM, "an ONNX Runtime that takes weights from memory")
    for content in ((tmp_path / "new" / "m.data").read_bytes(), b""):
        with (tmp_path / "old" / "m.data").open("r+b") as file:
            file.truncate(len(content))
            file.write(content)
        np.testing.assert_allclose(_answers(classifier, photos, workers=2), OLD.answer(IMAGES / 255), atol=1e-5)


@pytest.mark.parametrize("suffix", OWN)
def test_labels_and_graph_are_of_one_file(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is replaced between the reading of its manifest and of its graph."""
    own = OWN[suffix](tmp_path / f"own{suffix}")
    strange = WRITERS[suffix](tmp_path / f"strange{suffix}", NEW)
    classifier = Classifier.open(own)
    black = np.zeros(classifier.backend.input_shape, np.uint8)
    before = classifier.predict_proba(black)
    read = ModelFile.read

    def read_and_replace(path: Path) -> ModelFile:
        model = read(path)
        _replace(own, strange)
        return model

    monkeypatch.setattr(ModelFile, "read", read_and_replace)
    if suffix == ".onnx":
        # ONNX Runtime reads the file itself.
        with pytest.raises(ModelError, match="was replaced or changed meanwhile; open it again"):
            Classifier.open(own)
    else:
        assert np.array_equal(Classifier.open(own).predict_proba(black), before)


@pytest.mark.parametrize("suffix", OWN)
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, suffix: str) -> None:
    path = OWN[suffix](tmp_path / f"own{suffix}")
    model = ModelFile.read(path)
    model.check_unchanged()
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"got one that was replaced or changed meanwhile; open it again"):
        model.check_unchanged()
    path.unlink()
    with pytest.raises(ModelError, match=r"was replaced or changed meanwhile"):
        model.check_unchanged()


def _in_child(work: Callable[[], bool]) -> int:
    """Do something in a forked process; return its exit code, or the negative number of the signal that ended it."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os._exit(0 if work() else 1)
        os._exit(2)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGKILL


@needs.linux
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize(("suffix", "engine"), ENGINES[:2])
def test_a_forked_process_classifies_while_its_parent_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: list[Path], suffix: str, engine: str
) -> None:
    classifier, _, _ = _opened(tmp_path, suffix, engine, monkeypatch)
    expected = OLD.answer(IMAGES / 255)
    stop = threading.Event()

    def classify() -> None:
        while not stop.is_set():
            classifier.predict_proba(IMAGES)

    def right() -> bool:
        one = classifier.predict_proba(IMAGES)
        return np.allclose([one, _answers(classifier, photos, workers=2)], [expected] * 2, atol=1e-5)

    busy = threading.Thread(target=classify)
    busy.start()
    try:
        # With the lock held for sure, as in the midst of an inference.
        with classifier._lock:
            assert _in_child(right) == 0
        assert [_in_child(right) for _ in range(3)] == [0] * 3
    finally:
        stop.set()
        busy.join()
    assert right()


@needs.linux
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_what_does_not_survive_a_fork_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: list[Path]
) -> None:
    classifier, model, other = _opened(tmp_path, ".onnx", "onnxruntime", monkeypatch)
    items = classifier.predict_many(photos * 100, workers=2)
    next(items)

    def taken() -> bool:
        with pytest.raises(InputError, match="expected its results to be taken by the process that called it"):
            list(items)
        return True

    assert _in_child(taken) == 0
    items.close()  # type: ignore[attr-defined]
    _replace(model, other)

    def refused() -> bool:
        with pytest.raises(ModelError, match="expected the file as it was when it was opened, got another or none"):
            classifier.predict_proba(IMAGES)
        return True

    assert _in_child(refused) == 0
    needs.package("openvino", "edgecnn[openvino]")
    again = write_onnx(tmp_path / "again.onnx", OLD)
    compiled = Classifier.open(again, engine="openvino", labels=LABELS, scale="1/255", trusted=True)

    def told() -> bool:
        for work in (lambda: compiled.predict_proba(IMAGES), lambda: Classifier.open(again, engine="openvino")):
            with pytest.raises(ModelError, match="expected a process that was not forked from one that has used OpenV"):
                work()
        return True

    assert _in_child(told) == 0
