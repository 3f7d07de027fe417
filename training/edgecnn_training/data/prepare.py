"""From what a user names (a known set, images of their own, a prepared set) to a prepared set."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Decode, InputSpec, Resize
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, open_prepared
from edgecnn_training.data.holdout import DEFAULT_HOLDOUT, Holdout, with_test_split
from edgecnn_training.data.home import prepared_sets, set_folder
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet, unknown_set
from edgecnn_training.data.readers.own_images import OwnImages, state_of
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.write_set import ReportImage, check_replaceable, write_set


def prepare(
    known: KnownSet,
    *,
    origin: Path | None,
    spec: InputSpec | None = None,
    holdout: Holdout | None = None,
    name: str | None = None,
    output: Path | None = None,
    report: ReportImage | None = None,
) -> ImageSet:
    """Prepare a known set and open the result.

    Args:
        known: which set.
        origin: the path to read; None looks in `$EDGECNN_DATA` and then obtains the set as it can.
        spec: what is made of each image, if not what is documented for the set.
        holdout: what to take for testing, if not what is documented for the set.
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
    source, whence = known.open(origin, holdout=holdout)
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


def prepare_own(
    images: OwnImages,
    *,
    spec: InputSpec,
    holdout: Holdout = DEFAULT_HOLDOUT,
    name: str | None = None,
    output: Path | None = None,
    report: ReportImage | None = None,
) -> ImageSet:
    """Prepare a user's own images and open the result.

    Args:
        images: class folders, or images with a CSV of labels.
        spec: what is made of each image.
        holdout: what to take for testing where the images have no split for it.
        name: of the prepared set; default: the folder's or file's.
        output: the folder to write; by default one in edgecnn's home, by `name`, or else by the content.
        report: called now and then with the images done, those of the whole set and the name of the split.

    Raises:
        DataError: no images with labels, or `name` is taken by a known set.
    """
    if name is not None:
        _check_free(name)
    source = with_test_split(images.read(), holdout, name=str(images.path))
    folder = output or (set_folder(name) if name else _own_folder(images, source, spec))
    return write_set(folder, source, name=name or images.name, spec=spec, whence=images.whence, report=report)


def open_or_prepare(
    data: str, *, say: Callable[[str], None], spec: InputSpec | None = None, report: ReportImage | None = None
) -> ImageSet:
    """Open the image set that a user named, and prepare it first where that can be done.

    Args:
        data: the name of a known or prepared set, or the path of a prepared set, of class folders (a folder or zip)
            or of a CSV of labels; `./mnist` is a path, `mnist` the known set.
        say: told, in a sentence, that a set is prepared first.
        spec: the input asked for: needed for images of one's own; of a known set its own unless given, always with
            its own background; a set that stands prepared must have its shape.
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
    if (path / DATASET_FILE).exists() or (path.is_dir() and not any(inner.is_dir() for inner in path.iterdir())):
        return _of_shape(open_prepared(path), spec)
    images = OwnImages.at(data)
    if images is None:
        raise unknown_set(data)
    if spec is None:
        raise DataError(f"{data}: expected the size of the input beside images of one's own; add --imgsz 96, say")
    source = with_test_split(images.read(), name=data)
    folder = _own_folder(images, source, spec)
    if (folder / DATASET_FILE).exists():
        return open_prepared(folder)
    say(f"Preparing {data} ({len(source):,} images of {len(source.labels)} classes) in {folder}")
    return write_set(folder, source, name=images.name, spec=spec, whence=images.whence, report=report)


def known_folder(known: KnownSet, spec: InputSpec) -> Path:
    """Return where a known set stands by default: by its name, and by its input where that is not the documented."""
    return set_folder(known.name if spec == known.input else f"{known.name}-{_input_name(spec)}")


def _own_folder(images: OwnImages, source: RawImageSet, spec: InputSpec) -> Path:
    """Return where a user's images stand prepared: another place as soon as a file is added, removed or changed.

    The former one stays, because a run that was trained on it is exported and measured on it.
    """
    return set_folder(f"{images.name}-{_input_name(spec)}-{state_of(images.path, source)[:8]}")


def _input_name(spec: InputSpec) -> str:
    """Name an input, "96x96-rgb-crop", so that sets of different inputs stand side by side."""
    parts = [f"{spec.height}x{spec.width}", spec.colour.value]
    if spec.resize is not Resize.SQUASH:
        parts.append(spec.resize.value)
    if spec.background != (255, 255, 255):
        parts.append(bytes(spec.background).hex())
    if spec.decode is not Decode.FULL:
        parts.append(spec.decode.value)
    return "-".join(parts)


def _of_shape(image_set: ImageSet, spec: InputSpec | None) -> ImageSet:
    if spec is not None and image_set.input.shape != spec.shape:
        raise DataError(
            f"{image_set.folder}: expected a set prepared with images of (height, width, channels) {spec.shape}, "
            f"got {image_set.input.shape}; prepare it again from its source with 'edgecnn data prepare'"
        )
    return image_set


def _check_free(name: str) -> None:
    """Check the name of a prepared set, which becomes a folder's."""
    if name in KNOWN_SETS:
        raise DataError(f"--name {name}: expected a name that no known set has; add something to it")
    if not name or Path(name).name != name or name.startswith("."):
        raise DataError(f"--name {name}: expected one name without folders, not hidden")
