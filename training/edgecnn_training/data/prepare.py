"""From what a user names (a known set, images of their own, a prepared set) to a prepared set."""

from collections.abc import Callable
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, open_prepared
from edgecnn_training.data.holdout import DEFAULT_HOLDOUT, Holdout, with_test_split
from edgecnn_training.data.known_sets import KnownSet
from edgecnn_training.data.prepared_as import (
    find_images,
    known_folder,
    known_input,
    named_folder,
    own_folder,
    own_input,
)
from edgecnn_training.data.readers.own_images import OwnImages
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
        output: the folder to write; by default one in edgecnn's home. A prepared set there is replaced
            once the new one is whole.
        report: called now and then with the images done, those of the whole set and the name of the split.

    Raises:
        DataError: the source is missing or damaged, or `output` is a folder that holds something else.
        MissingExtraError: a package is needed to obtain the set.
    """
    spec = spec or known.input
    if name == known.name:
        name = None
    named = known_folder(known, spec) if name is None else named_folder(name)
    folder = output or named
    check_replaceable(folder)
    origin = origin or known.find()
    source, provenance = known.open(origin, holdout=holdout)
    return write_set(
        folder,
        source,
        name=name or known.name,
        spec=spec,
        provenance=provenance,
        read_from=origin,
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
    named = None if name is None else named_folder(name)
    source = with_test_split(images.read(), holdout, name=str(images.path))
    folder = output or named or own_folder(images, source, spec)
    return write_set(folder, source, name=name or images.name, spec=spec, provenance=images.provenance, report=report)


def open_or_prepare(
    data: str,
    *,
    say: Callable[[str], None],
    shape: tuple[int, int, int] | None = None,
    own_shape: tuple[int, int, int] | None = None,
    report: ReportImage | None = None,
) -> ImageSet:
    """Open the image set that a user named, and prepare it first where that can be done.

    Args:
        data: what `find_images` finds.
        say: told, in a sentence, that a set is prepared first.
        shape: `(height, width, channels)` that is asked for; a prepared set must have its height and width.
        own_shape: that of a user's own images, which have none, where no `shape` is asked for.
        report: called now and then while a set is prepared.

    Raises:
        DataError: it cannot be found, read or obtained, or it is prepared in another size.
        MissingExtraError: a package is needed to obtain the set.
    """
    found = find_images(data)
    if isinstance(found, KnownSet):
        return open_known(found, known_input(found, shape), say=say, report=report)
    if isinstance(found, Path):
        return _of_size(open_prepared(found), shape)
    shape = shape or own_shape
    if shape is None:
        raise DataError(
            f"{data}: expected the size of the input beside your images, got none; add --imgsz 96, for example"
        )
    spec = own_input(shape)
    source = with_test_split(found.read(), name=data)
    folder = own_folder(found, source, spec)
    if (folder / DATASET_FILE).exists():
        return open_prepared(folder)
    say(f"Preparing {data} ({len(source):,} images of {len(source.labels)} classes) in {folder}")
    return write_set(folder, source, name=found.name, spec=spec, provenance=found.provenance, report=report)


def open_known(
    known: KnownSet, spec: InputSpec, *, say: Callable[[str], None], report: ReportImage | None = None
) -> ImageSet:
    """Open a known set that is prepared for an input; prepare it first where it is not.

    Raises:
        DataError: it cannot be read or obtained.
        MissingExtraError: a package is needed to obtain it.
    """
    folder = known_folder(known, spec)
    if (folder / DATASET_FILE).exists():
        return open_prepared(folder)
    say(f"Preparing {known.name} ({known.summary}) in {folder}")
    return prepare(known, origin=None, spec=spec, report=report)


def _of_size(image_set: ImageSet, shape: tuple[int, int, int] | None) -> ImageSet:
    got = image_set.input.shape
    if shape is not None and got[:2] != shape[:2]:
        raise DataError(
            f"{image_set.folder}: expected a set prepared with images of (height, width, channels) {shape}, "
            f"got {got}; prepare it again from its source with 'edgecnn data prepare'"
        )
    return image_set
