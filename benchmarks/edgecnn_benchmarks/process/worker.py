"""The measured process: opens one model as a user's program does, and answers requests.

    python -m edgecnn_benchmarks.process.worker

JSON lines on stdin and stdout, one answer per request; an answer with `error` in place of a result says what failed.

    {"do": "open", "model": PATH, "threads": 1}      -> labels, input, scheme, backend, provider, assumed, load_s
    {"do": "measure", "images": NPY, …}              -> latencies_ns, first_ns, warmup_runs, stable, energy_uj
    {"do": "classify", "images": NPY, "start": 0, …} -> classes, probabilities
    {"do": "memory", "images": NPY, …}               -> steady_bytes, peak_bytes

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
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.process.energy import read_counters, used_uj
from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes, resident_memory_bytes
from edgecnn_runtime import Classifier
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.third_party_models.opening import Opening

# Images of one `predict_proba` call while the accuracy is measured.
_BATCH = 32

# A warm-up that does not settle ends after so many times its least duration.
_LONGEST_WARMUP = 20
# Two medians one after the other that differ by no more than this share are called the same.
_STABLE = 0.02


class Model(Protocol):
    """What is measured: a model file, or the Keras model."""

    def facts(self) -> dict[str, Any]:
        """Tell what the file says about itself."""

    def predict_proba(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of one image `(height, width, channels)` or of a batch of them."""


class ModelFile:
    """A model file, opened as a user's program does."""

    def __init__(self, *, model: str, threads: int, opening: dict[str, Any] | None = None) -> None:
        how = Opening() if opening is None else read_dataclass(Opening, opening, name="opening")
        self._classifier = Classifier.open_as(Path(model), how, threads=threads)
        self.predict_proba = self._classifier.predict_proba

    def facts(self) -> dict[str, Any]:
        """Tell what the file says about itself."""
        manifest, backend = self._classifier.manifest, self._classifier.backend
        return {
            "labels": manifest.labels,
            "input": dataclasses.asdict(manifest.input),
            "scheme": manifest.scheme,
            "backend": backend.name,
            "provider": backend.provider,
            "third_party": self._classifier.is_third_party,
            "fit": dataclasses.asdict(self._classifier.contract.said_fit(manifest.input)),
            "assumed": self._classifier.contract.assumed,
        }


class Worker:
    """One opened model and what can be asked of it."""

    def __init__(self, model: Model) -> None:
        self._predict_proba = model.predict_proba

    def measure(
        self,
        *,
        images: str,
        batch: int,
        warmup: int,
        warmup_secs: float,
        runs: int,
        secs: float,
        limit_secs: float,
    ) -> dict[str, Any]:
        """Time `predict_proba`, over and over: the first call, the warm-up, and then what counts.

        Args:
            images: a .npy file, uint8 `(N, height, width, channels)`; its images are taken in turn.
            batch: images per call; 1 gives single images.
            warmup: untimed calls before, at least.
            warmup_secs: how long the warm-up lasts, at least.
            runs: timed calls, at least.
            secs: how long the measuring lasts, at least.
            limit_secs: seconds after which warm-up and measuring end, each with one call at least.
        """
        calls = _calls(np.load(images, allow_pickle=False), batch)
        gc.collect()
        gc.disable()
        (first,) = self._time(calls, runs=1, secs=0.0, limit_secs=0.0)
        warmup_runs, stable = self._warm_up(calls, runs=warmup, secs=warmup_secs, limit_secs=limit_secs)
        before = read_counters()
        latencies = self._time(calls, runs=runs, secs=secs, limit_secs=limit_secs)
        used = used_uj(before, read_counters())
        gc.enable()
        return {
            "latencies_ns": latencies,
            "first_ns": first,
            "warmup_runs": 1 + warmup_runs,
            "stable": stable,
            "energy_uj": used,
        }

    def _warm_up(
        self, calls: list[NDArray[np.uint8]], *, runs: int, secs: float, limit_secs: float
    ) -> tuple[int, bool]:
        """Call until two stretches, one after the other, have the same median; return the calls and whether it was."""
        if not runs:
            return 0, False
        stretch = max(1, runs // 2)
        limit = min(limit_secs, _LONGEST_WARMUP * secs)
        end = time.monotonic() + limit
        count, last = 0, 0.0
        while True:
            latencies = self._time(calls, runs=stretch, secs=secs / 2, limit_secs=limit / 2)
            count, before, last = count + len(latencies), last, float(np.median(latencies))
            if before and count >= runs and abs(last - before) <= _STABLE * before:
                return count, True
            if time.monotonic() >= end:
                return count, False

    def _time(self, calls: list[NDArray[np.uint8]], *, runs: int, secs: float, limit_secs: float) -> list[int]:
        predict_proba, clock = self._predict_proba, time.perf_counter_ns
        latencies: list[int] = []
        start = clock()
        least, most = start + int(secs * 1e9), start + int(limit_secs * 1e9)
        while True:
            for pixels in calls:
                before = clock()
                predict_proba(pixels)
                after = clock()
                latencies.append(after - before)
                if after >= most or (after >= least and len(latencies) >= runs):
                    return latencies

    def classify(self, *, images: str, start: int, end: int, secs: float) -> dict[str, Any]:
        """Name the most probable class of images `start` to `end`, and its probability, for `secs` seconds."""
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        until = time.monotonic() + secs
        classes: list[int] = []
        probabilities: list[float] = []
        end = min(end, len(pixels))
        while start < end and (not classes or time.monotonic() < until):
            rows = self._predict_proba(np.ascontiguousarray(pixels[start : min(start + _BATCH, end)]))
            classes += rows.argmax(axis=1).tolist()
            probabilities += rows.max(axis=1).astype(float).tolist()
            start += len(rows)
        return {"classes": classes, "probabilities": probabilities}

    def memory(self, *, images: str, predictions: int) -> dict[str, Any]:
        """Classify images one at a time, in turn; return the process's resident memory then, and the most it was."""
        pixels = np.load(images, mmap_mode="r", allow_pickle=False)
        for index in range(predictions):
            self._predict_proba(np.ascontiguousarray(pixels[index % len(pixels)]))
        return {"steady_bytes": resident_memory_bytes(), "peak_bytes": peak_memory_bytes()}


def _calls(pixels: NDArray[np.uint8], batch: int) -> list[NDArray[np.uint8]]:
    """Cut images into what each call is given; at least two calls differ, so that no cache holds the answer."""
    if batch == 1:
        return [np.ascontiguousarray(image) for image in pixels]
    starts = range(0, max(len(pixels), 2 * batch), batch)
    return [np.take(pixels, range(start, start + batch), axis=0, mode="wrap") for start in starts]


def serve(
    requests: TextIO, answer: Callable[[dict[str, Any]], None], open_model: Callable[..., Model] = ModelFile
) -> None:
    """Answer requests until their stream ends; the first opens the model, and an error ends the service."""
    # Whatever an interpreter raises is the outcome of the measurement.
    try:
        _, opening = _read(next(requests))
        started = time.perf_counter()
        model = open_model(**opening)
        answer({**model.facts(), "load_s": time.perf_counter() - started})
        worker = Worker(model)
        actions: dict[str, Callable[..., dict[str, Any]]] = {
            "measure": worker.measure,
            "classify": worker.classify,
            "memory": worker.memory,
        }
        for line in requests:
            do, options = _read(line)
            answer(actions[do](**options))
    except Exception as error:
        answer({"error": str(error) or type(error).__name__})


def _read(line: str) -> tuple[str, dict[str, Any]]:
    request = json.loads(line)
    return request.pop("do"), request


def main(open_model: Callable[..., Model] = ModelFile) -> None:
    """Serve on the process's own stdin and stdout."""
    # Ctrl-C reaches the whole group of processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Interpreters print on stdout now and then: the answers get a separate descriptor.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(content: dict[str, Any]) -> None:
            answers.write(json.dumps(content) + "\n")
            answers.flush()

        serve(sys.stdin, answer, open_model)


if __name__ == "__main__":
    main()
