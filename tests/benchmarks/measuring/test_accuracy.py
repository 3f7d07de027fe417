"""The answers to all images, from workers that classify a few of them per request."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_benchmarks.measuring.accuracy import _Classification
from edgecnn_benchmarks.measuring.labelled_images import BenchImages
from edgecnn_benchmarks.process.worker_process import WorkerError

COUNT = 50


class Worker:
    """Names image n the class n, at most so many per request, and notes what it was asked."""

    def __init__(self, most: int, asked: list[tuple[int, int]], *, fails_at: int | None = None) -> None:
        self.most, self.asked, self.fails_at = most, asked, fails_at
        self.lock = threading.Lock()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, do: str, *, images: str, start: int, end: int, secs: float) -> dict[str, Any]:
        assert (do, images) == ("classify", "images.npy")
        done = range(start, min(start + self.most, end))
        with self.lock:
            self.asked.append((done.start, done.stop))
        if self.fails_at is not None and self.fails_at in done:
            raise WorkerError("it crashed")
        return {"classes": list(done), "probabilities": [number / 100 for number in done]}


def classified(
    most: int, *, processes: int, report: Callable[[float], None] = lambda share: None, fails_at: int | None = None
) -> list[tuple[int, int]]:
    asked: list[tuple[int, int]] = []
    images = BenchImages(Path("images.npy"), np.zeros(COUNT, np.int64), tuple(map(str, range(COUNT))))
    worker = Worker(most, asked, fails_at=fails_at)
    found = _Classification(lambda: worker, images, report).run(worker, processes=processes)  # type: ignore[arg-type,return-value]
    assert found.classes.tolist() == list(range(COUNT))
    assert found.probabilities.tolist() == pytest.approx([number / 100 for number in range(COUNT)])
    return sorted(asked)


@pytest.mark.parametrize(("most", "processes"), [(COUNT, 4), (49, 4), (7, 1), (7, 3), (1, 8)])
def test_every_image_is_classified_once(most: int, processes: int) -> None:
    shares: list[float] = []
    asked = classified(most, processes=processes, report=shares.append)
    assert [number for start, end in asked for number in range(start, end)] == list(range(COUNT))
    assert sorted(shares) == shares
    assert shares[-1] == 1


def test_one_request_needs_no_other_process() -> None:
    assert classified(COUNT, processes=4) == [(0, COUNT)]


@pytest.mark.parametrize("fails_at", [0, 20, COUNT - 1])
def test_a_worker_that_fails_ends_it(fails_at: int) -> None:
    with pytest.raises(WorkerError, match="it crashed"):
        classified(7, processes=3, fails_at=fails_at)
