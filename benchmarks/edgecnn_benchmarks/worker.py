"""The measured process: opens one model as a user's program does, and answers requests.

    python -m edgecnn_benchmarks.worker

JSON lines on stdin and stdout, one answer a request; an answer with `error` instead of a result tells what failed.

    {"do": "open", "model": PATH, "threads": 1}      -> labels, input, scheme, backend
    {"do": "measure", "images": NPY, …}              -> latencies_ns
    {"do": "classify", "images": NPY, "start": 0, …} -> classes
    {"do": "peak_memory", "images": NPY, …}          -> bytes

It imports nothing beside the runtime, so that its memory and its caches are those of the user's program, and ends
when its stdin closes, so that it never outlives the process that started it.
"""

import dataclasses
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.peak_memory import peak_memory_bytes
from edgecnn_runtime import Classifier
from edgecnn_runtime.opening import Opening

# Images of one `predict_proba` call while the accuracy is measured.
_BATCH = 32


class Worker:
    """One opened model and what can be asked of it."""

    def __init__(self, *, model: str, threads: int, opening: dict[str, Any] | None = None) -> None:
        how = Opening() if opening is None else Opening.from_document(opening)
        self._classifier = Classifier.open_as(Path(model), how, threads=threads)

    def facts(self) -> dict[str, Any]:
        """Tell what the file says about itself."""
        manifest = self._classifier.manifest
        return {
            "labels": manifest.labels,
            "input": dataclasses.asdict(manifest.input),
            "scheme": manifest.scheme,
            "backend": self._classifier.backend.name,
            "stranger": self._classifier.is_stranger,
            "assumed": self._classifier.contract.assumed,
        }

    def measure(
        self, *, images: str, warmup: int, warmup_secs: float, runs: int, secs: float, limit_secs: float
    ) -> dict[str, Any]:
        """Time `predict_proba` of one image, over and over.

        Args:
            images: a .npy file, uint8 `(N, height, width, channels)`; its images are taken in turn.
            warmup: untimed inferences before, at least.
            warmup_secs: how long the warm-up lasts, at least.
            runs: timed inferences, at least.
            secs: how long the measuring lasts, at least.
            limit_secs: seconds after which warm-up and measuring end, each with one run at least.
        """
        pixels = [np.ascontiguousarray(image) for image in np.load(images, allow_pickle=False)]
        gc.collect()
        gc.disable()
        self._time(pixels, runs=warmup, secs=warmup_secs, limit_secs=limit_secs)
        latencies = self._time(pixels, runs=runs, secs=secs, limit_secs=limit_secs)
        gc.enable()
        return {"latencies_ns": latencies}

    def _time(self, pixels: list[NDArray[np.uint8]], *, runs: int, secs: float, limit_secs: float) -> list[int]:
        predict_proba, clock = self._classifier.predict_proba, time.perf_counter_ns
        latencies: list[int] = []
        start = clock()
        least, most = start + int(secs * 1e9), start + int(limit_secs * 1e9)
        while True:
            for image in pixels:
                before = clock()
                predict_proba(image)
                after = clock()
                latencies.append(after - before)
                if after >= most or (after >= least and len(latencies) >= runs):
                    return latencies

    def classify(self, *, images: str, start: int, secs: float) -> dict[str, Any]:
        """Name the most probable class of the images from `start` on, as many as `secs` seconds allow."""
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        until = time.monotonic() + secs
        classes: list[int] = []
        while start < len(pixels) and (not classes or time.monotonic() < until):
            batch = np.ascontiguousarray(pixels[start : start + _BATCH])
            classes += self._classifier.predict_proba(batch).argmax(axis=1).tolist()
            start += len(batch)
        return {"classes": classes}

    def peak_memory(self, *, images: str, predictions: int) -> dict[str, Any]:
        """Classify images one at a time, in turn, and tell the process's peak resident memory."""
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        for index in range(predictions):
            self._classifier.predict_proba(np.ascontiguousarray(pixels[index % len(pixels)]))
        return {"bytes": peak_memory_bytes()}


def serve(requests: TextIO, answer: Callable[[dict[str, Any]], None]) -> None:
    """Answer requests until their stream ends; the first opens the model, and an error ends the service."""
    # Whatever an interpreter raises is the outcome of the measurement.
    try:
        _, opening = _read(next(requests))
        worker = Worker(**opening)
        answer(worker.facts())
        actions: dict[str, Callable[..., dict[str, Any]]] = {
            "measure": worker.measure,
            "classify": worker.classify,
            "peak_memory": worker.peak_memory,
        }
        for line in requests:
            do, options = _read(line)
            answer(actions[do](**options))
    except Exception as error:
        answer({"error": str(error) or type(error).__name__})


def _read(line: str) -> tuple[str, dict[str, Any]]:
    request = json.loads(line)
    return request.pop("do"), request


def main() -> None:
    """Serve on the process's own stdin and stdout."""
    # Ctrl-C reaches the whole group of processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Interpreters print on stdout now and then: the answers get a descriptor of their own.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(content: dict[str, Any]) -> None:
            answers.write(json.dumps(content) + "\n")
            answers.flush()

        serve(sys.stdin, answer)


if __name__ == "__main__":
    main()
