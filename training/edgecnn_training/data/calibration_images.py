"""The images beside a model that somebody else trained: some to calibrate on, the others to check the files on."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, ImageError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.sources import image_files
from edgecnn_runtime.workstation.division import stratified_sample
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.finding import Finding, FindingKind, listed
from edgecnn_training.data.readers.own_images import OwnImages
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import SPLITS, TEST, TRAIN, split_of
from edgecnn_training.data.write_set import ReportImage, write_set

LAYOUT = "a folder of images, or one with a sub-folder of images for each class"

# Fewer say nothing about ranges or errors.
_FEWEST = 10
# Images that go through the model at once.
_BATCH = 32

# uint8 (N, height, width, channels) -> float32 (N, classes)
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class UserCalibrationImages:
    """Images, nothing decoded yet; without labels, the model's answers replace them."""

    name: str
    provenance: str
    source: RawImageSet  # the labels are those of the model, in its order
    labelled: bool
    # Whether there is anything in them to calibrate on; otherwise all are for checking.
    calibrates: bool = True

    def sample(self, spec: InputSpec, count: int) -> NDArray[np.uint8]:
        """Read up to `count` images, spread over all of them: uint8 `(N, height, width, channels)`.

        Raises:
            DataError: not one of them can be read.
        """
        return self.labelled_sample(spec, count)[0]

    def labelled_sample(self, spec: InputSpec, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Read what `sample` does, and the images' class numbers `(N,)`, which mean something where there are labels.

        Raises:
            DataError: not one of them can be read.
        """
        split = next(iter(self.source.splits.values()))
        chosen = np.zeros(len(split), bool)
        chosen[np.linspace(0, len(split) - 1, min(count, len(split))).astype(np.int64)] = True
        part = split.chosen(chosen)
        read = dict(enumerate(map_images(_reader(spec), part.images)))
        whole = {position: pixels for position, pixels in read.items() if not isinstance(pixels, ImageError)}
        if not whole:
            raise DataError(
                f"{self.provenance}: expected images that Pillow reads, got none among {len(part)}; "
                f"the first: {read[0]}"
            )
        return np.stack(list(whole.values())), part.labels[list(whole)]

    def write(
        self, folder: Path, *, spec: InputSpec, predict: Predict, seed: int = 0, report: ReportImage | None = None
    ) -> ImageSet:
        """Write the images as a prepared set with the splits `train`, to calibrate on, and `test`.

        Of the splits that the images come with (training, validation, test), the first is calibrated on and the last
        is checked on; of only one, each gets half of every class. Without labels, the class that the model names is
        taken, and the set says so (`labelled_by_model`).

        Raises:
            DataError: too few images that can be read.
        """
        source = self.source if self.labelled else _answered(self.source, spec, predict)
        if self.calibrates:
            source = _two_parts(source, self.provenance, seed)
        return write_set(
            folder,
            source,
            name=self.name,
            spec=spec,
            provenance=self.provenance,
            labelled_by_model=not self.labelled,
            report=report,
        )


def find_calibration_images(data: Path, *, labels: tuple[str, ...]) -> UserCalibrationImages:
    """Find the images a user names; class folders, a zip or a CSV give labels, a folder of images gives none.

    Args:
        data: where they are.
        labels: of the model, in its order; the images may show some of them only.

    Raises:
        DataError: nothing of that kind, too few, or labels that the model has not.
    """
    if data.is_dir() and (unlabelled := _unlabelled(data, labels)):
        splits = {
            name: SourceSplit(files, np.zeros(len(files), np.int64), [str(file.relative_to(data)) for file in files])
            for name, files in unlabelled.items()
        }
        provenance = f"images in {data.resolve()}"
        found = UserCalibrationImages(data.resolve().name, provenance, RawImageSet(labels, splits), labelled=False)
    else:
        found = _labelled(data, labels)
    if len(found.source) < _FEWEST:
        raise DataError(f"{data}: expected at least {_FEWEST} images, better some hundred, got {len(found.source)}")
    return found


def generated_images(spec: InputSpec, labels: tuple[str, ...]) -> UserCalibrationImages:
    """Return the images of the golden check, for want of real ones: enough to compare files, not to calibrate on."""
    pixels = list(golden_images(spec))
    split = SourceSplit(pixels, np.zeros(len(pixels), np.int64), [f"golden {n}" for n in range(len(pixels))])
    source = RawImageSet(labels, {TEST: split})
    return UserCalibrationImages("generated", "generated images", source, labelled=False, calibrates=False)


def _unlabelled(data: Path, labels: tuple[str, ...]) -> dict[str, list[Path]]:
    """Return the images of a folder without class folders, by split; empty where there are some."""
    if not _has_class_folders(data):
        files = image_files(data)
        return {TEST: files} if files else {}
    inner = {
        path: split_of(path.name)
        for path in sorted(data.iterdir())
        if path.is_dir() and image_files(path, recursive=True)
    }
    if any(split is None or path.name in labels or _has_class_folders(path) for path, split in inner.items()):
        return {}
    found: dict[str, list[Path]] = {}
    for path, split in inner.items():
        found.setdefault(str(split), []).extend(image_files(path))
    return found


def _has_class_folders(folder: Path) -> bool:
    return any(path.is_dir() and image_files(path, recursive=True) for path in folder.iterdir() if path.name[0] != ".")


def _labelled(data: Path, labels: tuple[str, ...]) -> UserCalibrationImages:
    images = OwnImages.at(str(data))
    if images is None or (data.is_dir() and not any(data.iterdir())):
        if not data.exists():
            raise DataError(f"{data}: not found; expected {LAYOUT}")
        found = "an empty folder" if data.is_dir() else "another file"
        raise DataError(f"{data}: expected {LAYOUT}, got {found}")
    source = images.read()
    unknown = [label for label in source.labels if label not in labels]
    if unknown:
        raise DataError(
            f"{data}: expected class folders named after the labels ({listed(labels)}), got {listed(unknown)}; "
            "rename them, or give the images in one folder without labels"
        )
    numbers = np.array([labels.index(label) for label in source.labels], np.int64)
    splits = {name: dataclasses.replace(split, labels=numbers[split.labels]) for name, split in source.splits.items()}
    return UserCalibrationImages(
        images.name, images.provenance, RawImageSet(labels, splits, source.findings), labelled=True
    )


def _answered(source: RawImageSet, spec: InputSpec, predict: Predict) -> RawImageSet:
    """Give images the classes that the model names; leave out what cannot be read."""
    findings = list(source.findings)
    splits = {}
    for name, split in source.splits.items():
        classes = np.full(len(split), -1, np.int64)
        errors: dict[int, ImageError] = {}
        for positions, batch in _batches(split, spec, errors):
            classes[positions] = predict(batch).argmax(axis=1)
        read = classes >= 0
        if errors:
            text = f"images that cannot be read are left out (the first: {next(iter(errors.values()))})"
            findings.append(Finding(FindingKind.UNREADABLE, text, [split.files[position] for position in errors]))
        splits[name] = dataclasses.replace(split.chosen(read), labels=classes[read])
    return RawImageSet(source.labels, splits, tuple(findings))


def _batches(
    split: SourceSplit, spec: InputSpec, errors: dict[int, ImageError]
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """Yield the positions and pixels of the images that can be read; enter the others into `errors`."""
    waiting: list[tuple[int, NDArray[np.uint8]]] = []
    for position, pixels in enumerate(map_images(_reader(spec), split.images)):
        if isinstance(pixels, ImageError):
            errors[position] = pixels
        else:
            waiting.append((position, pixels))
        if len(waiting) == _BATCH:
            yield [place for place, _ in waiting], np.stack([image for _, image in waiting])
            waiting = []
    if waiting:
        yield [place for place, _ in waiting], np.stack([image for _, image in waiting])


def _two_parts(source: RawImageSet, provenance: str, seed: int) -> RawImageSet:
    """Return the images to calibrate on as `train` and those to check the files on as `test`."""
    given = [source.splits[name] for name in SPLITS if name in source.splits]
    if len(given) > 1:
        return dataclasses.replace(source, splits={TRAIN: given[0], TEST: given[-1]})
    (split,) = given
    if len(split) < _FEWEST:
        raise DataError(f"{provenance}: expected at least {_FEWEST} images that can be read, got {len(split)}")
    chosen = np.zeros(len(split), bool)
    chosen[stratified_sample(split.labels, len(split) // 2, seed=seed)] = True
    return dataclasses.replace(source, splits={TRAIN: split.chosen(chosen), TEST: split.chosen(~chosen)})


def _reader(spec: InputSpec) -> Callable[[ImageSource], NDArray[np.uint8] | ImageError]:
    def read(image: ImageSource) -> NDArray[np.uint8] | ImageError:
        try:
            return read_image(image, spec)
        except ImageError as error:
            return error

    return read
