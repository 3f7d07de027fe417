"""From what a user names to the images as their source holds them, to check and to show them."""

from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec, Resize
from edgecnn_runtime.workstation.image_set import DATASET_FILE, ImageSet, open_prepared
from edgecnn_training.data.holdout import with_test_split
from edgecnn_training.data.home import prepared_sets
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.readers.labels_csv import Columns
from edgecnn_training.data.readers.own_images import LAYOUT, OwnImages, expected_at
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
    """Open the source of a set: of a known one its files, or else what stands prepared of it.

    Args:
        data: the name of a known or prepared set, or the path of a prepared set or of a user's own images.
        origin: of a known set, the path to read; None looks in `$EDGECNN_DATA`.
        labels: of a user's own images that are no class folders, the CSV.
        columns: of the CSV.

    Raises:
        DataError: none of these, or it cannot be read or obtained.
        MissingExtraError: a package is needed to read or obtain the set.
    """
    known = KNOWN_SETS.get(data)
    prepared = prepared_sets().get(data)
    if known is not None:
        if origin is None and known.find() is None and prepared is not None:
            return _of_prepared(open_prepared(prepared))
        source, whence = known.open(origin)
        return OpenedSource(known.name, source, known.input, whence)
    if origin is not None:
        raise DataError(f"{data}: expected --from only beside the name of a known set ({', '.join(KNOWN_SETS)})")
    path = prepared or Path(data)
    if (path / DATASET_FILE).exists():
        return _of_prepared(open_prepared(path))
    images = OwnImages.at(data, labels=labels, columns=columns)
    if images is None:
        raise DataError(
            f"{data}: {expected_at(data)} the name of a known set ({', '.join(KNOWN_SETS)}), the folder of a "
            f"prepared one, or {LAYOUT}; see 'edgecnn data list'"
        )
    source = with_test_split(images.read(), name=data)
    return OpenedSource(images.name, source, _SHOWN, images.whence)


def _of_prepared(image_set: ImageSet) -> OpenedSource:
    splits = {
        name: SourceSplit(images=split.images, labels=split.labels, files=split.files)
        for name, split in image_set.splits.items()
    }
    return OpenedSource(
        image_set.name, RawImageSet(image_set.labels, splits), image_set.input, f"prepared in {image_set.folder}"
    )
