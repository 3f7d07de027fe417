"""Write a prepared set: every image once through `read_image`, into the arrays that everything else reads."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, ImageError
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, Split, describe, fingerprint, open_prepared
from edgecnn_training.data.checks.copies import copies_of_train
from edgecnn_training.data.checks.inspection import inspect
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.finding import listed, named
from edgecnn_training.data.npy_writer import NpyWriter
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import TRAIN
from edgecnn_training.data.whole_folder import atomic_folder

# Called with the images done so far, those of the whole set, and the name of the split.
ReportImage = Callable[[int, int, str], None]

# The files with the pixels of a prepared set.
ARRAYS = "*.images.npy"

# Images between two reports, so that reporting costs nothing beside reading.
_REPORT_EVERY = 256


def write_set(
    folder: Path,
    source: RawImageSet,
    *,
    name: str,
    spec: InputSpec,
    provenance: str,
    read_from: Path | None = None,
    licence: str | None = None,
    counts: Mapping[str, int] | None = None,
    labelled_by_model: bool = False,
    report: ReportImage | None = None,
) -> ImageSet:
    """Write a prepared set atomically, and open it. An image that cannot be read is left out with a warning.

    Args:
        folder: new, empty, or a prepared set, which is replaced once the new one is complete.
        source: what is read.
        name: of the set.
        spec: what is made of each image.
        provenance: where the source came from, in words.
        read_from: of a known set, the path that was read, where it is read again for another input.
        licence: of the images.
        counts: how many images each split of the whole set is known to have.
        labelled_by_model: whether the labels are only a model's answers.
        report: called now and then.

    Raises:
        DataError: `folder` holds something else, or a split has no image that can be read.
    """
    check_replaceable(folder)
    with atomic_folder(folder) as partial:
        _write_files(
            partial, source, name, spec, provenance, read_from, licence, counts or {}, labelled_by_model, report
        )
    return open_prepared(folder)


def check_replaceable(folder: Path) -> None:
    """Refuse what is not a prepared set, because it would be replaced.

    Raises:
        DataError: a file, or a folder that holds something else.
    """
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if not _is_of_prepared_set(path.name))
        found = f"a folder that holds {', '.join(others[:3])}" if others else ""
    else:
        found = "a file" if folder.exists() else ""
    if found:
        raise DataError(
            f"{folder}: expected a new folder, or a prepared image set to replace, got {found}; choose another --output"
        )


def _is_of_prepared_set(name: str) -> bool:
    return name == DATASET_FILE or name.endswith((".images.npy", ".labels.npy", ".files.txt"))


def _write_files(
    folder: Path,
    source: RawImageSet,
    name: str,
    spec: InputSpec,
    provenance: str,
    read_from: Path | None,
    licence: str | None,
    counts: Mapping[str, int],
    labelled_by_model: bool,
    report: ReportImage | None,
) -> None:
    """Write all files of a prepared set, `dataset.json` last."""
    splits: dict[str, Split] = {}
    digests: dict[str, list[bytes]] = {}
    warnings = [str(finding) for finding in source.findings]
    done = 0
    for split_name, split in source.splits.items():

        def report_split(count: int, done: int = done, split_name: str = split_name) -> None:
            if report:
                report(done + count, len(source), split_name)

        path = folder / f"{split_name}.images.npy"
        digests[split_name], errors = _write_images(path, split, spec, report_split)
        done += len(split)
        read = np.array([position not in errors for position in range(len(split))], bool)
        if errors:
            _check_readable(name, split_name, source.labels, split, errors)
            unreadable = [split.files[position] for position in errors]
            warnings.append(
                f"{split_name}: images that cannot be read are left out: {listed(unreadable)}; "
                f"the first: {_first(errors)}"
            )
        labels = split.labels[read]
        files = tuple(_one_line(split.files[position]) for position in np.flatnonzero(read).tolist())
        with atomic_files.atomic_write(folder / f"{split_name}.labels.npy") as partial:
            np.save(partial, labels, allow_pickle=False)
        atomic_files.write_text(folder / f"{split_name}.files.txt", "\n".join(files) + "\n")
        splits[split_name] = Split(np.load(path, mmap_mode="r", allow_pickle=False), labels, files)
    numbers = {split_name: split.labels for split_name, split in splits.items()}
    copies = copies_of_train(splits, digests)
    if not labelled_by_model:
        warnings += inspect(source.labels, numbers=numbers, digests=digests, counts=counts or {}, copies=copies)
    image_set = ImageSet(
        name=name,
        labels=source.labels,
        input=spec,
        splits=splits,
        fingerprint=fingerprint(source.labels, splits),
        source=provenance,
        read_from=None if read_from is None else str(read_from.resolve()),
        licence=licence,
        warnings=tuple(warnings),
        copies=copies,
        labelled_by_model=labelled_by_model,
        test_held_out=source.test_held_out,
    )
    atomic_files.write_json(folder / DATASET_FILE, describe(image_set))


def _write_images(
    path: Path, split: SourceSplit, spec: InputSpec, report: Callable[[int], None]
) -> tuple[list[bytes], dict[int, ImageError]]:
    """Write the pixels of one split.

    Returns:
        The digests of the pixels of the images that could be read, and the errors of the others by their position.
    """

    def decode(image: ImageSource) -> NDArray[np.uint8] | ImageError:
        try:
            return read_image(image, spec)
        except ImageError as error:
            return error

    digests: list[bytes] = []
    errors: dict[int, ImageError] = {}
    with atomic_files.atomic_write(path) as partial, NpyWriter(partial, spec.shape) as writer:
        for position, pixels in zip(range(len(split)), map_images(decode, split.images), strict=True):
            if position % _REPORT_EVERY == 0:
                report(position)
            if isinstance(pixels, ImageError):
                errors[position] = pixels
                continue
            writer.append(pixels)
            digests.append(hashlib.sha256(np.ascontiguousarray(pixels).data).digest())
    report(len(split))
    return digests, errors


def _check_readable(
    name: str, split_name: str, labels: tuple[str, ...], split: SourceSplit, errors: dict[int, ImageError]
) -> None:
    """Check that enough images can be read: some of the split, and of every class that is to be trained."""
    among = [split.files[position] for position in errors]
    if len(errors) < len(split):
        read = np.delete(split.labels, list(errors))
        lost = sorted(set(split.labels.tolist()) - set(read.tolist())) if split_name == TRAIN else []
        if not lost:
            return
        among = [split.files[position] for position in errors if split.labels[position] in lost]
        name = f"{name}: {named([labels[number] for number in lost])}"
    raise DataError(
        f"{name}: {split_name}: expected images that Pillow reads, got none among {listed(among)}; "
        f"the first: {_first(errors)}"
    )


def _first(errors: dict[int, ImageError]) -> str:
    """Return why the first image could not be read."""
    return str(next(iter(errors.values())))


def _one_line(name: str) -> str:
    """Return a file's name as one line of UTF-8, whatever characters it holds."""
    name = name.encode(errors="backslashreplace").decode()
    return name if len(name.splitlines()) == 1 else name.encode("unicode_escape").decode("ascii")
