"""The images each model is given: all labelled ones for its accuracy, some of them for its latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.measuring.candidates import SPLIT, Subject
from edgecnn_benchmarks.process.worker_process import ModelFacts
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.workstation.image_set import open_labelled_folder

# Images that the timed inferences take in turn: more than one, so that no cache holds the answer to it.
SAMPLE = 64


@dataclass(frozen=True)
class BenchImages:
    """Images in a file that a worker can map, with their class numbers."""

    path: Path  # .npy, uint8 (N, height, width, channels)
    classes: NDArray[np.int64]  # (N,)
    files: Sequence[str]  # of N pictures, their names


class ImageShelf:
    """Hands out images in the shape each model takes; every shape is read and written once."""

    def __init__(self, subject: Subject, scratch: Path) -> None:
        self._subject, self._scratch = subject, scratch
        self._prepared: BenchImages | None = None
        self._labelled: dict[tuple[tuple[str, ...], InputSpec], BenchImages] = {}
        self._samples: dict[Path | InputSpec, Path] = {}

    def labelled(self, facts: ModelFacts) -> BenchImages:
        """Return the labelled images as this model takes them.

        Raises:
            DataError: there are none, or the images or their labels are not those of the model.
        """
        prepared = self._subject.prepared
        if prepared is not None:
            for what, expected, got in (
                ("labels", prepared.labels, facts.labels),
                # A stranger does not say how its images were resized.
                ("input", prepared.input.shape, facts.input.shape)
                if facts.third_party
                else ("input", prepared.input, facts.input),
            ):
                if expected != got:
                    raise DataError(f"{what}: expected {expected}, as in the set {prepared.name}, got {got}")
            assert prepared.folder is not None  # `open_prepared` sets it
            if self._prepared is None:
                split = prepared.split(SPLIT)
                self._prepared = BenchImages(prepared.folder / f"{SPLIT}.images.npy", split.labels, split.files)
            return self._prepared
        folder = self._subject.labelled_folder
        if folder is None:
            raise DataError("no labelled images were given")
        key = (facts.labels, facts.input)
        if key not in self._labelled:
            split = open_labelled_folder(folder, labels=facts.labels, spec=facts.input)
            self._labelled[key] = BenchImages(self._save(split.images), split.labels, split.files)
        return self._labelled[key]

    def sample(self, images: BenchImages) -> Path:
        """Return a .npy file with `SAMPLE` of the images, spread evenly over all classes' ranges."""
        if images.path not in self._samples:
            pixels = np.load(images.path, mmap_mode="r", allow_pickle=False)
            chosen = np.linspace(0, len(pixels) - 1, min(SAMPLE, len(pixels))).astype(np.int64)
            self._samples[images.path] = self._save(pixels[chosen])
        return self._samples[images.path]

    def generated(self, spec: InputSpec) -> Path:
        """Return a .npy file with the images of the golden check, for want of real ones."""
        if spec not in self._samples:
            self._samples[spec] = self._save(golden_images(spec))
        return self._samples[spec]

    def _save(self, images: NDArray[np.uint8]) -> Path:
        path = self._scratch / f"images_{len(list(self._scratch.iterdir()))}.npy"
        np.save(path, images, allow_pickle=False)
        return path
