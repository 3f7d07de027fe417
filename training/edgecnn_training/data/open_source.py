"""From what a user names to the images as their source holds them, to check and to show them."""

from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec, Resize
from edgecnn_runtime.workstation.image_set import ImageSet, open_prepared
from edgecnn_training.data.holdout import with_faults_found
from edgecnn_training.data.home import prepared_sets
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet
from edgecnn_training.data.prepared_as import find_images
from edgecnn_training.data.readers.labels_csv import Columns
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit

# What a user's own images are shown at: their images have any shape, and none is asked for.
_SHOWN = InputSpec(192, 192, Colour.RGB, Resize.PAD)


@dataclass(frozen=True)
class OpenedSource:
    """The images of a set, nothing decoded yet."""

    name: str
    source: RawImageSet
    input: InputSpec  # what they are prepared as, or shown as where nobody said
    origin: str


def open_source(
    data: str, *, origin: Path | None = None, labels: Path | None = None, columns: Columns | None = None
) -> OpenedSource:
    """Open the source of a set: of a known one its files, or else what was prepared of it.

    Args:
        data: what `find_images` finds.
        origin: of a known set, the path to read; None looks in `$EDGECNN_DATA`.
        labels: of a user's own images that are no class folders, the CSV.
        columns: of the CSV.

    Raises:
        DataError: none of these, or it cannot be read or obtained.
        MissingExtraError: a package is needed to read or obtain the set.
    """
    found = find_images(data, labels=labels, columns=columns)
    if isinstance(found, KnownSet):
        prepared = prepared_sets().get(found.name)
        if origin is None and found.find() is None and prepared is not None:
            return _of_prepared(open_prepared(prepared))
        source, provenance = found.open(origin)
        return OpenedSource(found.name, source, found.input, provenance)
    if origin is not None:
        raise DataError(f"{data}: expected --from only beside the name of a known set ({', '.join(KNOWN_SETS)})")
    if isinstance(found, Path):
        return _of_prepared(open_prepared(found))
    return OpenedSource(found.name, with_faults_found(found.read()), _SHOWN, found.provenance)


def _of_prepared(image_set: ImageSet) -> OpenedSource:
    splits = {
        name: SourceSplit(images=split.images, labels=split.labels, files=split.files)
        for name, split in image_set.splits.items()
    }
    return OpenedSource(
        image_set.name, RawImageSet(image_set.labels, splits), image_set.input, f"prepared in {image_set.folder}"
    )
