"""The class that other people's programs embed: an image in, a label out."""

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends import Backend, open_backend
from edgecnn_runtime.errors import ImageError, ModelError
from edgecnn_runtime.golden import GoldenResult, compare_golden, golden_images
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.preprocess import ImageSource, read_image

if TYPE_CHECKING:
    from edgecnn_runtime.pipeline import Item


class Classifier:
    """A model file that is ready to classify images.

    Safe to share between threads: they take turns. For all cores, use `predict_many`.
    """

    def __init__(self, backend: Backend, manifest: Manifest) -> None:
        """Join an opened backend and its manifest; `Classifier.open` does both from a file.

        Raises:
            ModelError: the manifest does not fit the model.
        """
        if len(manifest.labels) != backend.classes:
            raise ModelError(f"{manifest.name}: labels: {backend.classes} expected, got {len(manifest.labels)}")
        if manifest.input.shape != backend.input_shape:
            raise ModelError(
                f"{manifest.name}: an input of {manifest.input.shape} expected as the manifest says, "
                f"got a model that takes {backend.input_shape}"
            )
        self.manifest = manifest
        self.labels = manifest.labels
        self.backend = backend
        self._shape = backend.input_shape
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, threads: int = 1) -> "Classifier":
        """Open a model file that edgecnn exported.

        Args:
            path: a `.tflite` file (LiteRT) or `.onnx` file (ONNX Runtime).
            threads: threads within one inference. Small models are fastest with 1.

        Raises:
            ModelError: missing, damaged, not an image classifier, or without the manifest of edgecnn.
            MissingExtraError: the interpreter for this format is not installed.
        """
        path = Path(path)
        backend = open_backend(path, threads=threads)
        if backend.manifest_json is None:
            raise ModelError(
                f"{path}: a model with the manifest of edgecnn expected, got one without; "
                "export it with 'edgecnn export'"
            )
        return cls(backend, Manifest.from_json(backend.manifest_json))

    def predict(self, image: ImageSource) -> Prediction:
        """Classify one image of any size: a path, encoded bytes, a Pillow image or uint8 RGB or grey pixels.

        Raises:
            ImageError: the image cannot be read.
        """
        return Prediction.of(self.predict_proba(read_image(image, self.manifest.input)), self.labels)

    def predict_proba(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of images that already have the model's size.

        Args:
            pixels: uint8, 0…255, one image `(height, width, channels)` or a batch `(N, …)` of them.

        Returns:
            float32 `(classes,)` for one image, `(N, classes)` for a batch.

        Raises:
            ImageError: another shape or dtype.
        """
        if pixels.dtype != np.uint8 or pixels.shape[-3:] != self._shape or not 3 <= pixels.ndim <= 4:
            raise ImageError(_shape_message(self._shape, pixels))
        with self._lock:
            if pixels.ndim == 3:
                row: NDArray[np.float32] = self.backend.infer(pixels[np.newaxis])[0]
                return row
            return self.backend.infer(pixels)

    def predict_many(self, paths: Iterable[str | os.PathLike[str]], *, workers: int | None = None) -> "Iterator[Item]":
        """Classify many files on all cores, yielding one item a file in the order given.

        A file that cannot be read is an item with an `error`; it never ends the batch. However long the list, and
        however slowly the items are taken, only some hundreds of results wait. An iterator that is closed early
        ends its workers.

        Args:
            paths: files to read, of any number; an iterator is read as the work goes on.
            workers: threads; default: the processors this process may use. Open the classifier with one thread, so
                that they do not compete for the cores.

        Raises:
            ValueError: fewer than 1 worker.
        """
        from edgecnn_runtime.pipeline import classify_files

        return classify_files(self.backend, self.manifest, paths, workers=workers)

    def verify(self) -> GoldenResult:
        """Run the golden check: compare this machine's answers with those of the workstation.

        Raises:
            ModelError: the file carries no golden check.
        """
        golden = self.manifest.golden
        if golden is None:
            raise ModelError(f"{self.manifest.name}: a golden check in the manifest expected, got none; export again")
        return compare_golden(self.predict_proba(golden_images(self.manifest.input)), golden)


def _shape_message(shape: tuple[int, int, int], pixels: NDArray[Any]) -> str:
    height, width, channels = shape
    return (
        f"pixels: uint8 ({height}, {width}, {channels}) or (N, {height}, {width}, {channels}) expected, "
        f"got {pixels.dtype} {pixels.shape}; use predict() for images of another size"
    )
