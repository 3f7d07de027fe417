"""The interpreters of a server: a bounded number, each single-threaded, shared by the requests and the camera."""

import queue
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import Backend
from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.image_files import load_readers
from edgecnn_runtime.manifest import InputSpec, Manifest
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.preprocess import read_image


class InterpreterPool:
    """Interpreters of one model, at most `size` of them at work; whoever comes later waits for one.

    It is a `Backend` that, unlike others, any number of threads may use at once.
    """

    def __init__(self, backend: Backend, size: int) -> None:
        self.name, self.provider, self.manifest_json = backend.name, backend.provider, backend.manifest_json
        self.input_shape, self.classes = backend.input_shape, backend.classes
        self._model, self.size = backend, size
        # The one used last is taken first: its tables and weights are still in the cache.
        self._idle: queue.LifoQueue[Backend] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(backend.another())

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        own = self._idle.get()
        try:
            return own.infer(pixels)
        finally:
            self._idle.put(own)

    def warm_up(self) -> None:
        """Run every interpreter and load Pillow's readers, so that the first request is as quick as the others."""
        load_readers()
        black = np.zeros((1, *self.input_shape), np.uint8)
        everyone = [self._idle.get() for _ in range(self.size)]
        for own in everyone:
            own.infer(black)
            self._idle.put(own)

    def after_fork(self) -> "InterpreterPool":
        """Make interpreters for the new process."""
        return InterpreterPool(self._model.after_fork(), self.size)

    def another(self) -> "InterpreterPool":
        """Return itself, which several threads may use at once."""
        return self


@dataclass(frozen=True, slots=True)
class PooledAnswer:
    """What the model says about an uploaded image, and what that took."""

    prediction: Prediction
    decode_seconds: float
    infer_seconds: float  # with the wait for an interpreter


def classify_upload(content: bytes, backend: Backend, manifest: Manifest, *, max_pixels: int) -> PooledAnswer:
    """Decode and classify the bytes of an image file.

    Raises:
        ImageError: not an image, damaged, or of more than `max_pixels`.
    """
    started = time.perf_counter()
    pixels = decode_upload(content, manifest.input, max_pixels=max_pixels)
    decoded = time.perf_counter()
    row = backend.infer(pixels[np.newaxis])[0]
    return PooledAnswer(Prediction.of(row, manifest.labels), decoded - started, time.perf_counter() - decoded)


def decode_upload(content: bytes, spec: InputSpec, *, max_pixels: int) -> NDArray[np.uint8]:
    """Do what `read_image` does, for the bytes of a request, of which there must be some.

    Raises:
        ImageError: not an image, damaged, or of more than `max_pixels`.
    """
    if not content:
        raise ImageError("image: expected a JPEG, PNG or other image, got 0 bytes")
    return read_image(content, spec, max_pixels=max_pixels)
