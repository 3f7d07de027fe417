"""From what a user names (a known set, a class folder, a prepared set) to a prepared set."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.image_set import DATASET_FILE, ImageSet, open_prepared
from edgecnn_runtime.manifest import InputSpec, Resize
from edgecnn_training.data.class_folders import LAYOUT, Holdout, has_class_folders, read_class_folders
from edgecnn_training.data.home import prepared_sets, set_folder
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet
from edgecnn_training.data.source import Source
from edgecnn_training.data.write_set import Report, check_replaceable, write_set


def prepare(
    known: KnownSet,
    *,
    origin: Path | None,
    spec: InputSpec | None = None,
    name: str | None = None,
    output: Path | None = None,
    report: Report | None = None,
) -> ImageSet:
    """Prepare a known set and open the result.

    Args:
        known: which set.
        origin: the path to read; None looks in `$EDGECNN_DATA` and then obtains the set as it can.
        spec: what is made of each image, if not what is documented for the set.
        name: of the prepared set, if not the known one's.
        output: the folder to write; by default one in edgecnn's home. A prepared set that stands there is replaced
            once the new one is whole.
        report: called now and then with the images done, those of the whole set and the name of the split.

    Raises:
        DataError: the source is missing or damaged, or `output` is a folder that holds something else.
        MissingExtraError: a package is needed to obtain the set.
    """
    spec = spec or known.input
    if name is not None and name != known.name:
        _check_free(name)
    folder = output or (set_folder(name) if name else known_folder(known, spec))
    check_replaceable(folder)
    source, whence = known.open(origin)
    return write_set(
        folder,
        source,
        name=name or known.name,
        spec=spec,
        whence=whence,
        licence=known.licence,
        counts=known.counts,
        report=report,
    )


def prepare_class_folders(
    root: Path,
    *,
    spec: InputSpec,
    holdout: Holdout | None = None,
    name: str | None = None,
    output: Path | None = None,
    report: Report | None = None,
) -> ImageSet:
    """Prepare a user's class folders and open the result.

    Args:
        root: a folder with one sub-folder a class, with or without `train`, `valid` and `test` above them.
        spec: what is made of each image.
        holdout: what to take for testing where there is no test folder.
        name: of the prepared set; default: the folder's.
        output: the folder to write; by default one in edgecnn's home, by `name`, or else by the folder's content.
        report: called now and then with the images done, those of the whole set and the name of the split.

    Raises:
        DataError: no class folders, or `name` is taken by a known set.
    """
    if name is not None:
        _check_free(name)
    source = read_class_folders(root, holdout=holdout)
    folder = output or (set_folder(name) if name else _class_folders_folder(root, source, spec))
    return _write_class_folders(folder, root, source, name or root.resolve().name, spec, report)


def open_or_prepare(
    data: str, *, say: Callable[[str], None], spec: InputSpec | None = None, report: Report | None = None
) -> ImageSet:
    """Open the image set that a user named, and prepare it first where that can be done.

    Args:
        data: the name of a known or prepared set, or the path of a prepared set or of class folders; `./mnist` is a
            path, `mnist` the known set.
        say: told, in a sentence, that a set is prepared first.
        spec: the input asked for: needed for class folders; of a known set its own unless given, always with its own
            background; a set that stands prepared must have its shape.
        report: called now and then while a set is prepared.

    Raises:
        DataError: none of these, it cannot be read or obtained, or it is prepared with another shape.
        MissingExtraError: a package is needed to obtain the set.
    """
    known = KNOWN_SETS.get(data)
    if known is not None:
        spec = known.input if spec is None else dataclasses.replace(spec, background=known.input.background)
        folder = known_folder(known, spec)
        if (folder / DATASET_FILE).exists():
            return open_prepared(folder)
        say(f"Preparing {known.name} ({known.summary}) in {folder}")
        return prepare(known, origin=None, spec=spec, report=report)
    path = prepared_sets().get(data) or Path(data)
    if (path / DATASET_FILE).exists() or (path.is_dir() and not has_class_folders(path)):
        return _of_shape(open_prepared(path), spec)
    if not path.is_dir():
        raise DataError(
            f"{data}: the folder of a prepared image set, {LAYOUT}, or the name of a known set "
            f"({', '.join(KNOWN_SETS)}), expected; see 'edgecnn data list'"
        )
    if spec is None:
        raise DataError(f"{data}: the size of the input expected beside class folders, got none; add --imgsz 96, say")
    source = read_class_folders(path)
    folder = _class_folders_folder(path, source, spec)
    if (folder / DATASET_FILE).exists():
        return open_prepared(folder)
    say(f"Preparing {data} ({len(source):,} images of {len(source.labels)} classes) in {folder}")
    return _write_class_folders(folder, path, source, path.resolve().name, spec, report)


def known_folder(known: KnownSet, spec: InputSpec) -> Path:
    """Return where a known set stands by default: by its name, and by its input where that is not the documented."""
    return set_folder(known.name if spec == known.input else f"{known.name}-{_input_name(spec)}")


def _write_class_folders(
    folder: Path, root: Path, source: Source, name: str, spec: InputSpec, report: Report | None
) -> ImageSet:
    return write_set(folder, source, name=name, spec=spec, whence=f"class folders in {root.resolve()}", report=report)


def _class_folders_folder(root: Path, source: Source, spec: InputSpec) -> Path:
    """Return where class folders stand prepared: another place as soon as a file is added, removed or changed.

    The former one stays, because a run that was trained on it is exported and measured on it.
    """
    digest = hashlib.sha256(json.dumps([str(root.resolve()), source.labels]).encode())
    for split_name, split in source.splits.items():
        paths = [image for image in split.images if isinstance(image, Path)]
        for path, number, file in zip(paths, split.labels.tolist(), split.files, strict=True):
            state = path.stat()
            digest.update(json.dumps([split_name, number, file, state.st_size, state.st_mtime_ns]).encode())
    return set_folder(f"{root.resolve().name}-{_input_name(spec)}-{digest.hexdigest()[:8]}")


def _input_name(spec: InputSpec) -> str:
    """Name an input, "96x96-rgb-crop", so that sets of different inputs stand side by side."""
    parts = [f"{spec.height}x{spec.width}", spec.colour.value]
    if spec.resize is not Resize.SQUASH:
        parts.append(spec.resize.value)
    if spec.background != (255, 255, 255):
        parts.append(bytes(spec.background).hex())
    return "-".join(parts)


def _of_shape(image_set: ImageSet, spec: InputSpec | None) -> ImageSet:
    if spec is not None and image_set.input.shape != spec.shape:
        raise DataError(
            f"{image_set.folder}: a set prepared with images of (height, width, channels) {spec.shape} expected, "
            f"got {image_set.input.shape}; prepare it again from its source with 'edgecnn data prepare'"
        )
    return image_set


def _check_free(name: str) -> None:
    """Check the name of a prepared set, which becomes a folder's."""
    if name in KNOWN_SETS:
        raise DataError(f"--name {name}: a name that no known set has expected; add something to it")
    if not name or Path(name).name != name or name.startswith("."):
        raise DataError(f"--name {name}: one name without folders, not hidden, expected")
