"""Many files on all cores: decode and inference overlap, the order is kept, memory stays bounded.

Each worker thread decodes and classifies whole images with its own interpreter. Pillow, LiteRT and ONNX
Runtime release the GIL while they work, so on as many threads the rate approaches 1 / (1/D + 1/I), where D
and I are the rates of decoding alone and of inference alone. A hand-over of pixels between decoding and inferring
threads can do no better, and needs a queue that has to be tuned.
"""

import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import Backend
from edgecnn_runtime.errors import ImageError, InputError
from edgecnn_runtime.manifest import InputSpec, Manifest
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.system.cpu import available_cpus

if TYPE_CHECKING:
    from concurrent.futures import Future

# Files a worker takes at a time. It decodes them all and then classifies them all: decoder and network each find
# their tables and weights still in the cache. The first chunks are smaller, so that a short list is spread over all
# workers and the first answer comes after one file.
_CHUNK = 32
# Chunks under way for each worker: one in work, the others waiting for their turn to be handed on.
_CHUNKS_PER_WORKER = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One image's outcome: a prediction, or the error that the image gave."""

    source: str  # its path; of an image in memory the name of its type
    prediction: Prediction | None = None
    error: ImageError | None = None


def classify_files(
    backend: Backend, manifest: Manifest, images: Iterable[ImageSource], *, workers: int | None = None
) -> Iterator[Item]:
    """Do the work of `Classifier.predict_many`, which tells what is promised.

    Args:
        backend: the opened model; the workers use others of the same model, this one stays the caller's.
        manifest: its labels and input.
        images: files to read, or images in memory.
        workers: threads; None: the processors this process may use.

    Raises:
        ValueError: fewer than 1 worker.
    """
    if workers is None:
        workers = available_cpus()
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    return _run(backend, manifest, iter(images), workers)


def _run(backend: Backend, manifest: Manifest, images: Iterator[ImageSource], workers: int) -> Iterator[Item]:
    first = tuple(itertools.islice(images, 2))
    if len(first) < 2:
        # A file alone needs no threads, which take longer to load and to start than it does.
        yield from _classify_chunk(backend.another(), manifest, first) if first else ()
    else:
        yield from _run_in_threads(backend, manifest, itertools.chain(first, images), workers)


def _run_in_threads(
    backend: Backend, manifest: Manifest, images: Iterator[ImageSource], workers: int
) -> Iterator[Item]:
    from concurrent.futures import ThreadPoolExecutor

    idle: queue.SimpleQueue[Backend] = queue.SimpleQueue()
    # What a delegate does when it is loaded need not bear company.
    opening = threading.Lock()

    opened = 0

    def more() -> Backend:
        """Return one more interpreter; where there is no memory for it, one that another worker gives back."""
        nonlocal opened
        try:
            with opening:
                own = backend.another()
                opened += 1
                return own
        except MemoryError:
            if not opened:
                raise
        return idle.get()

    def classify(chunk: tuple[ImageSource, ...]) -> list[Item]:
        try:
            own = idle.get_nowait()
        except queue.Empty:
            own = more()
        try:
            return _classify_chunk(own, manifest, chunk)
        finally:
            idle.put(own)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="edgecnn")
    under_way: deque[Future[list[Item]]] = deque()
    sizes = _chunk_sizes(workers)
    process = os.getpid()
    try:
        while True:
            if os.getpid() != process:
                raise InputError(
                    "predict_many: expected its results to be taken by the process that called it, got one forked from "
                    "it, which has no workers; call it in that process"
                )
            while len(under_way) < workers * _CHUNKS_PER_WORKER:
                chunk = tuple(itertools.islice(images, next(sizes)))
                if not chunk:
                    break
                under_way.append(pool.submit(classify, chunk))
            if not under_way:
                return
            yield from under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunk_sizes(workers: int) -> Iterator[int]:
    """Yield 1 for each worker, then 2, 4 … up to `_CHUNK` for ever."""
    size = 1
    while True:
        yield from itertools.repeat(size, workers)
        size = min(2 * size, _CHUNK)


def _classify_chunk(backend: Backend, manifest: Manifest, images: Sequence[ImageSource]) -> list[Item]:
    decoded = [_decode(image, manifest.input) for image in images]
    return [_classify(backend, manifest, _name(image), pixels) for image, pixels in zip(images, decoded, strict=True)]


def _classify(backend: Backend, manifest: Manifest, name: str, pixels: NDArray[np.uint8] | ImageError) -> Item:
    """Classify the pixels of an image, unless reading it gave an error."""
    if isinstance(pixels, ImageError):
        return Item(name, error=pixels)
    try:
        return Item(name, Prediction.of(backend.infer(pixels[np.newaxis])[0], manifest.labels))
    except MemoryError as error:
        return Item(name, error=ImageError(f"{name}: expected memory for an inference, got none; {error}".rstrip("; ")))


def _name(image: ImageSource) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else type(image).__name__


def _decode(image: ImageSource, spec: InputSpec) -> NDArray[np.uint8] | ImageError:
    """Return the pixels of an image, or the error that it gave."""
    try:
        return read_image(image, spec)
    except ImageError as error:
        return error
