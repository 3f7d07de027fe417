"""Prepare an image set: every image once through `read_image`, into the arrays that everything else reads."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgecnn_runtime import whole_files
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.image_set import DATASET_FILE, ImageSet, Split, describe, fingerprint, open_prepared
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import read_image
from edgecnn_training.data.home import data_folder, prepared_sets, set_folder
from edgecnn_training.data.inspection import inspect
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet
from edgecnn_training.data.source import Source, SourceSplit
from edgecnn_training.data.whole_folder import folder_written_whole

# Called with the images done so far and the name of the split.
Report = Callable[[int, str], None]

# Images between two reports, so that reporting costs nothing beside reading.
_REPORT_EVERY = 512


def prepare(
    known: KnownSet, *, origin: Path | None, output: Path | None = None, report: Report | None = None
) -> ImageSet:
    """Prepare a known set and open the result.

    Args:
        known: which set.
        origin: the path to read; None looks in `$EDGECNN_DATA` and then obtains the set as it can.
        output: the folder to write; by default the set's own in edgecnn's home. A prepared set that stands there
            is replaced once the new one is whole.
        report: called now and then with the number of images done and the name of the split.

    Raises:
        DataError: the source is missing or damaged, or `output` is a folder that holds something else.
        MissingExtraError: a package is needed to obtain the set.
    """
    folder = output or set_folder(known.name)
    _check_replaceable(folder)
    source, whence = _read_source(known, origin)
    with folder_written_whole(folder) as partial:
        _write_set(partial, known, source, whence, report)
    return open_prepared(folder)


def open_or_prepare(data: str, *, say: Callable[[str], None]) -> ImageSet:
    """Open the image set that a user named, and prepare it first where that can be done.

    Args:
        data: the name of a known set, or the path of a prepared set; `./mnist` is a path, `mnist` the known set.
        say: told, in a sentence, that a set is prepared first.

    Raises:
        DataError: neither, or the set cannot be read or obtained.
        MissingExtraError: a package is needed to obtain the set.
    """
    known = KNOWN_SETS.get(data)
    if known is None:
        if not Path(data).is_dir():
            raise DataError(
                f"{data}: the folder of a prepared image set, or the name of a known one "
                f"({', '.join(KNOWN_SETS)}), expected; see 'edgecnn data list'"
            )
        return open_prepared(Path(data))
    prepared = prepared_sets().get(known.name)
    if prepared is not None:
        return open_prepared(prepared)
    say(f"Preparing {known.name} ({known.summary}) in {set_folder(known.name)}")
    return prepare(known, origin=None)


def _read_source(known: KnownSet, origin: Path | None) -> tuple[Source, str]:
    """Read the source; also tell where it came from."""
    if known.read is None and origin is not None:
        raise DataError(f"{known.name}: no --from expected, got {origin}: {known.layout}")
    path = origin or _find_source(known)
    if path is None or known.read is None:
        return known.obtain(), known.origin
    return known.read(path), f"{known.origin}; read from {path.resolve()}"


def _find_source(known: KnownSet) -> Path | None:
    """Return where the set stands below `$EDGECNN_DATA`, or None."""
    root = data_folder()
    if root is None:
        return None
    return next((root / place for place in known.places if (root / place).exists()), None)


def _check_replaceable(folder: Path) -> None:
    """Refuse what is not a prepared set, because it would be replaced."""
    if folder.is_dir():
        strangers = sorted(path.name for path in folder.iterdir() if not _is_of_prepared_set(path.name))
        found = f"a folder that holds {', '.join(strangers[:3])}" if strangers else ""
    else:
        found = "a file" if folder.exists() else ""
    if found:
        raise DataError(
            f"{folder}: a new folder, or a prepared image set to replace, expected, got {found}; "
            "choose another --output"
        )


def _is_of_prepared_set(name: str) -> bool:
    return name == DATASET_FILE or name.endswith((".images.npy", ".labels.npy", ".files.txt"))


def _write_set(folder: Path, known: KnownSet, source: Source, whence: str, report: Report | None) -> None:
    """Write all files of a prepared set, `dataset.json` last."""
    splits: dict[str, Split] = {}
    digests: dict[str, list[bytes]] = {}
    done = 0
    for name, split in source.items():
        digests[name] = _write_images(folder / f"{name}.images.npy", name, split, known.input, done, report)
        done += len(split.labels)
        with whole_files.written_whole(folder / f"{name}.labels.npy") as path:
            np.save(path, split.labels, allow_pickle=False)
        whole_files.write_text(folder / f"{name}.files.txt", "\n".join(split.files) + "\n")
        images = np.load(folder / f"{name}.images.npy", mmap_mode="r", allow_pickle=False)
        splits[name] = Split(images, split.labels, tuple(split.files))
    image_set = ImageSet(
        name=known.name,
        labels=known.labels,
        input=known.input,
        splits=splits,
        fingerprint=fingerprint(known.labels, splits),
        source=whence,
        licence=known.licence,
        warnings=inspect(
            known.labels,
            numbers={name: split.labels for name, split in splits.items()},
            digests=digests,
            counts=known.counts,
        ),
    )
    whole_files.write_json(folder / DATASET_FILE, describe(image_set))


def _write_images(
    path: Path, name: str, split: SourceSplit, spec: InputSpec, done: int, report: Report | None
) -> list[bytes]:
    """Write the pixels of one split through a memory map; return the digest of each image's pixels."""
    digests = []
    with whole_files.written_whole(path) as partial:
        shape = (len(split.labels), *spec.shape)
        pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for index, image in zip(range(len(split.labels)), split.images, strict=True):
            pixels[index] = read_image(image, spec)
            digests.append(hashlib.sha256(pixels[index]).digest())
            if report and index % _REPORT_EVERY == 0:
                report(done + index, name)
        pixels.flush()
    if report:
        report(done + len(digests), name)
    return digests
