"""The labelled images of a benchmark, in the shape each model takes: all for its accuracy, some for its latency."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.process.worker_process import ModelFacts
from edgecnn_runtime.accuracy import Accuracy, top1_accuracy
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.sources import image_files
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, open_labelled_folder, open_prepared

# The split that is measured.
SPLIT = "test"
# Images that the timed inferences take in turn: more than one, so that no cache holds the answer to it.
SAMPLE = 64


@dataclass(frozen=True)
class BenchImages:
    """Images in a file that a worker can map, with their class numbers."""

    path: Path  # .npy, uint8 (N, height, width, channels)
    classes: NDArray[np.int64]  # (N,)
    files: Sequence[str]  # the names of the N image files


@dataclass(frozen=True)
class TestData:
    """The name of the labelled images, how many were classified, and the fingerprint of a prepared set."""

    __test__ = False  # pytest takes a class of this name for tests

    name: str
    images: int
    fingerprint: str | None


class LabelledImages(Protocol):
    """Where the labelled images come from: a prepared set, a folder with one sub-folder per class, or nowhere."""

    @property
    def has_labels(self) -> bool:
        """Whether somebody labelled the images, not only the float model."""

    @property
    def keras_probabilities(self) -> NDArray[np.float32] | None:
        """What the Keras model of the run gives for all images, float32 `(N, classes)`; None where it is not known."""

    @property
    def keras_accuracy(self) -> Accuracy | None:
        """What the Keras model of the run reaches on them; None where it is not known."""

    def for_model(self, facts: ModelFacts, *, scratch: Path) -> BenchImages | None:
        """Return the images as a model takes them; None where there are none.

        Args:
            facts: of the model.
            scratch: a folder for what is written on the way.

        Raises:
            DataError: the images or their labels are not those of the model.
        """

    def test_data(self, images: int) -> TestData | None:
        """Name the images, of which so many were classified."""

    def files(self, scratch: Path) -> tuple[str | None, Mapping[str, Path]]:
        """Return a folder for another machine: its path there, None for no folder, and its files by their paths in it.

        Args:
            scratch: a folder for what is written on the way.
        """


@dataclass(frozen=True)
class NoImages:
    """No labelled images: latency, memory and size alone."""

    has_labels = False
    keras_probabilities = None
    keras_accuracy = None

    def for_model(self, facts: ModelFacts, *, scratch: Path) -> None:
        """Return none."""
        del facts, scratch

    def test_data(self, images: int) -> None:
        """Name none."""
        del images

    def files(self, scratch: Path) -> tuple[None, Mapping[str, Path]]:
        """Return no folder."""
        del scratch
        return None, {}


@dataclass(frozen=True)
class PreparedImages:
    """The test split of a prepared set."""

    prepared: ImageSet
    keras_probabilities: NDArray[np.float32] | None = None
    trained_on: bool = False  # so that a score on their labels says nothing

    @property
    def has_labels(self) -> bool:
        """Whether somebody labelled the images, not only the float model, and an accuracy on them means something."""
        return not (self.prepared.labelled_by_model or self.trained_on)

    @property
    def keras_accuracy(self) -> Accuracy | None:
        """What the Keras model of the run reaches on them; None where it is not known."""
        if self.keras_probabilities is None or not self.has_labels:
            return None
        return top1_accuracy(self.keras_probabilities, self.prepared.split(SPLIT).labels)

    @property
    def folder(self) -> Path:
        """The folder of the set."""
        assert self.prepared.folder is not None  # `open_prepared` sets it
        return self.prepared.folder

    def for_model(self, facts: ModelFacts, *, scratch: Path) -> BenchImages:
        """Return the images of the set, which are used where they lie.

        Raises:
            DataError: the set was prepared for another input or other labels.
        """
        del scratch
        for what, expected, got in (
            ("labels", self.prepared.labels, facts.labels),
            ("input", self.prepared.input, self._input_of(facts)),
        ):
            if expected != got:
                raise DataError(f"{what}: expected {expected}, as in the set {self.prepared.name}, got {got}")
        split = self.prepared.split(SPLIT)
        return BenchImages(self.folder / f"{SPLIT}.images.npy", split.labels, split.files)

    def _input_of(self, facts: ModelFacts) -> InputSpec:
        """Return the input of a model; what a third-party one leaves open is that of the set."""
        if not facts.third_party or facts.input.shape != self.prepared.input.shape:
            return facts.input
        return facts.fit.applied_to(self.prepared.input)

    def test_data(self, images: int) -> TestData:
        """Name the set and its fingerprint."""
        return TestData(self.prepared.name, images, self.prepared.fingerprint)

    def files(self, scratch: Path) -> tuple[str, Mapping[str, Path]]:
        """Return a set that has the measured split alone, and keeps its fingerprint."""
        document = json.loads((self.folder / DATASET_FILE).read_text(encoding="utf-8"))
        document["splits"] = {SPLIT: document["splits"][SPLIT]}
        document["copies"] = {name: places for name, places in document.get("copies", {}).items() if name == SPLIT}
        description = scratch / DATASET_FILE
        description.write_text(json.dumps(document), encoding="utf-8")
        parts = (f"{SPLIT}.images.npy", f"{SPLIT}.labels.npy", f"{SPLIT}.files.txt")
        return "set", {DATASET_FILE: description, **{name: self.folder / name for name in parts}}


@dataclass(frozen=True)
class FolderImages:
    """A folder with one sub-folder per class, whose images are decoded for each model."""

    folder: Path
    # Each shape is decoded once.
    _decoded: dict[tuple[tuple[str, ...], InputSpec], BenchImages] = field(default_factory=dict, repr=False)
    has_labels = True
    keras_probabilities = None
    keras_accuracy = None

    def for_model(self, facts: ModelFacts, *, scratch: Path) -> BenchImages:
        """Decode the images and write them to `scratch`.

        Raises:
            DataError: the sub-folders are not the model's labels, or an image cannot be read.
        """
        key = (facts.labels, facts.input)
        if key not in self._decoded:
            split = open_labelled_folder(self.folder, labels=facts.labels, spec=facts.input)
            self._decoded[key] = BenchImages(save_images(split.images, scratch), split.labels, split.files)
        return self._decoded[key]

    def test_data(self, images: int) -> TestData:
        """Name the folder."""
        return TestData(self.folder.name, images, None)

    def files(self, scratch: Path) -> tuple[str, Mapping[str, Path]]:
        """Return the images of all sub-folders."""
        del scratch
        beside = image_files(self.folder)
        return f"labelled/{self.folder.resolve().name}", {
            path.relative_to(self.folder).as_posix(): path
            for path in image_files(self.folder, recursive=True)
            if path not in beside
        }


def open_images(data: Path | None) -> LabelledImages:
    """Open what a user names as labelled images.

    Raises:
        DataError: no such folder, or a damaged or empty set.
    """
    if data is None:
        return NoImages()
    if not data.is_dir():
        raise DataError(
            f"{data}: not found; expected a prepared set or a folder with one sub-folder per class, named with --data"
        )
    if not (data / DATASET_FILE).exists():
        return FolderImages(data)
    prepared = open_prepared(data)
    if not len(prepared.split(SPLIT)):
        raise DataError(f"{data}: expected labelled images in the split {SPLIT!r}, got none")
    return PreparedImages(prepared)


class SampleShelf:
    """Hands out the images that a model is timed on; every shape is written once."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._samples: dict[Path | InputSpec, Path] = {}

    def sample(self, images: BenchImages) -> Path:
        """Return a .npy file with `SAMPLE` of the images, spread evenly over all classes' ranges."""
        if images.path not in self._samples:
            pixels = np.load(images.path, mmap_mode="r", allow_pickle=False)
            chosen = np.linspace(0, len(pixels) - 1, min(SAMPLE, len(pixels))).astype(np.int64)
            self._samples[images.path] = save_images(pixels[chosen], self._scratch)
        return self._samples[images.path]

    def generated(self, spec: InputSpec) -> Path:
        """Return a .npy file with the images of the golden check, for want of real ones."""
        if spec not in self._samples:
            self._samples[spec] = save_images(golden_images(spec), self._scratch)
        return self._samples[spec]


def save_images(images: NDArray[np.uint8], scratch: Path) -> Path:
    """Write images to a new .npy file in a folder and return its path."""
    path = scratch / f"images_{len(list(scratch.iterdir()))}.npy"
    np.save(path, images, allow_pickle=False)
    return path
