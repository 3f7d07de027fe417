import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import needs
import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime import pipeline
from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme

LABELS = ("black", "dark", "bright", "white")


@pytest.fixture
def classifier() -> Classifier:
    manifest = Manifest("grey", LABELS, InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)
    return Classifier(FakeBackend(input_shape=(4, 4, 1), classes=4), manifest)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number:03}.png" for number in range(100)]
    for number, path in enumerate(paths):
        Image.new("L", (5, 5), number % 4 * 64 + 30).save(path)
    return paths


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_the_order_is_kept_and_a_bad_file_is_an_item_in_place(
    classifier: Classifier, files: list[Path], workers: int
) -> None:
    files[17].write_bytes(files[17].read_bytes()[:40])
    files[42].unlink()
    items = list(classifier.predict_many(files, workers=workers))
    assert [item.source for item in items] == [str(path) for path in files]
    assert [number for number, item in enumerate(items) if item.error] == [17, 42]
    assert "not found" in str(items[42].error)
    for number, item in enumerate(items):
        if item.prediction:
            assert item.prediction.label == LABELS[number % 4]
            assert item.prediction.label == classifier.predict(files[number]).label


def test_an_endless_list_is_read_only_as_far_as_its_results_are_taken(
    classifier: Classifier, files: list[Path]
) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield files[0]

    before = threading.active_count()
    items = classifier.predict_many(endless(), workers=2)
    for _ in range(500):
        assert next(items).prediction is not None
    assert taken <= 500 + 2 * pipeline._CHUNKS_PER_WORKER * pipeline._CHUNK
    items.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_nothing_in_nothing_out(classifier: Classifier) -> None:
    assert list(classifier.predict_many([])) == []


def test_no_worker_is_refused_at_once(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="workers: expected at least 1, got 0"):
        classifier.predict_many([], workers=0)


def test_an_error_of_the_model_ends_the_batch(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FakeBackend, pixels: np.ndarray) -> np.ndarray:
        raise RuntimeError("the interpreter failed")

    monkeypatch.setattr(FakeBackend, "infer", fail)
    with pytest.raises(RuntimeError, match="the interpreter failed"):
        list(classifier.predict_many(files))


@needs.posix
def test_a_name_that_is_not_utf8_is_read(classifier: Classifier, tmp_path: Path, files: list[Path]) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(odd, "wb") as file:  # noqa: PTH123 (a name in bytes)
        file.write(files[3].read_bytes())
    (item,) = classifier.predict_many([os.fsdecode(odd)])
    assert item.prediction is not None
    assert item.prediction.label == "white"


def test_a_file_alone_starts_no_thread(classifier: Classifier, files: list[Path]) -> None:
    before = threading.active_count()
    items = classifier.predict_many(files[:1], workers=64)
    assert next(items).prediction is not None
    assert threading.active_count() == before
    assert list(items) == []


def test_no_more_interpreters_are_opened_than_there_is_work(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(FakeBackend, "another", lambda self: opened.append(self) or self)
    assert len(list(classifier.predict_many(files[:3], workers=64))) == 3
    assert len(opened) <= 3


def test_an_image_that_does_not_fit_into_the_memory_is_an_item_in_place(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In decoding it, and in the inference, where engines speak of an allocation in an error of their own."""
    from PIL.PngImagePlugin import PngImageFile

    load, infer = PngImageFile.load, FakeBackend.infer

    def load_small(self: PngImageFile) -> object:
        if self.width > 5:
            raise MemoryError
        return load(self)

    def infer_dark(self: FakeBackend, pixels: np.ndarray) -> np.ndarray:
        if pixels.mean() > 200:
            raise MemoryError("engine: bad allocation")
        return infer(self, pixels)

    Image.new("L", (6, 5)).save(files[17])
    monkeypatch.setattr(PngImageFile, "load", load_small)
    monkeypatch.setattr(FakeBackend, "infer", infer_dark)
    items = list(classifier.predict_many(files, workers=2))
    assert len(items) == len(files)
    bright = set(range(3, len(files), 4))
    assert {number for number, item in enumerate(items) if item.error} == bright | {17}
    assert "expected an image that fits into the memory this process may use" in str(items[17].error)
    assert str(items[3].error) == f"{files[3]}: expected memory for an inference, got none; engine: bad allocation"


def test_without_memory_for_one_more_interpreter_those_that_are_there_do_the_work(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[FakeBackend] = []

    def another(self: FakeBackend) -> FakeBackend:
        if opened:
            raise MemoryError
        opened.append(self)
        return self

    monkeypatch.setattr(FakeBackend, "another", another)
    assert [item.error for item in classifier.predict_many(files, workers=4)] == [None] * len(files)
    with pytest.raises(MemoryError):
        list(classifier.predict_many(files, workers=4))


def test_whatever_is_no_image_is_an_item_and_what_is_one_in_memory_is_classified(
    classifier: Classifier, files: list[Path]
) -> None:
    white = np.full((5, 5), 255, np.uint8)
    given = [files[3], None, white, 7, files[3].read_bytes(), Image.fromarray(white), Image.new("L", (0, 0)), files[0]]
    items = list(classifier.predict_many(given, workers=2))  # type: ignore[arg-type]
    assert [item.prediction and item.prediction.label for item in items] == [
        "white", None, "white", None, "white", "white", None, "black"
    ]  # fmt: skip
    assert [item.source for item in items[1:4]] == ["NoneType", "ndarray", "int"]
    assert "got NoneType" in str(items[1].error)
    assert "got 0 x 0 pixels" in str(items[6].error)


class Own(FakeBackend):
    """Belongs to one thread at a time, and never to the caller's work; counts what it classifies."""

    def __init__(self) -> None:
        super().__init__(input_shape=(4, 4, 1), classes=4)
        self.others: list[Own] = []
        self.at_work = threading.Lock()
        self.calls = 0

    def another(self) -> "Own":
        self.others.append(Own())
        return self.others[-1]

    def infer(self, pixels: np.ndarray) -> np.ndarray:
        assert self.at_work.acquire(blocking=False), "expected one thread at a time"
        try:
            self.calls += 1
            return super().infer(pixels)
        finally:
            self.at_work.release()


@pytest.mark.parametrize("workers", [1, 4])
def test_each_thread_has_an_interpreter_of_its_own(files: list[Path], workers: int) -> None:
    backend = Own()
    manifest = Manifest("grey", LABELS, InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)
    assert all(item.prediction for item in Classifier(backend, manifest).predict_many(files, workers=workers))
    assert backend.calls == 0  # the caller's
    assert 1 <= len(backend.others) <= workers
    assert sum(other.calls for other in backend.others) == len(files)


@pytest.mark.parametrize("workers", [2, 4, 5])
def test_all_workers_are_at_work_at_the_same_time(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    together = threading.Barrier(workers)
    first = itertools.count()
    infer = FakeBackend.infer

    def waiting(self: FakeBackend, pixels: np.ndarray) -> np.ndarray:
        if next(first) < workers:
            together.wait(timeout=60)
        return infer(self, pixels)

    monkeypatch.setattr(FakeBackend, "infer", waiting)
    assert all(item.prediction for item in classifier.predict_many(files, workers=workers))


def test_what_waits_for_its_turn_is_dropped_at_the_end(
    classifier: Classifier, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer is taken; of the chunks of one, two and four images then under way, the last has not begun."""
    gate = threading.Event()
    classified: list[int] = []
    infer, shutdown = FakeBackend.infer, ThreadPoolExecutor.shutdown

    def waiting(self: FakeBackend, pixels: np.ndarray) -> np.ndarray:
        if classified:
            assert gate.wait(60)
        classified.append(1)
        return infer(self, pixels)

    def ended(self: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(self, wait=False, cancel_futures=cancel_futures)
        gate.set()
        shutdown(self, wait=wait)

    monkeypatch.setattr(FakeBackend, "infer", waiting)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", ended)
    items = classifier.predict_many(files, workers=1)
    assert next(items).prediction is not None
    items.close()  # type: ignore[attr-defined]
    assert 1 <= len(classified) <= 3
