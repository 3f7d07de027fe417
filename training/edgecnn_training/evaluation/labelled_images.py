"""The labelled images that a model is evaluated on: a split of a prepared set, or images of a user's own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, ImageError
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.workstation.image_set import ImageSet, Split, fingerprint, open_prepared
from edgecnn_runtime.workstation.run_folder import open_run_data
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.known_sets import KnownSet
from edgecnn_training.data.prepare import open_known
from edgecnn_training.data.prepared_as import find_images, known_input
from edgecnn_training.data.readers.own_images import OwnImages
from edgecnn_training.data.readers.source import SourceSplit
from edgecnn_training.data.readers.split_names import TEST, TRAIN
from edgecnn_training.evaluation.opened_model import OpenedModel

# What images without splits are called.
ALL = "all"


@dataclass(frozen=True)
class LabelledImages:
    """Images as a model takes them, with their true classes as the model numbers them."""

    data: str
    split: str
    images: Split
    fingerprint: str  # of the whole set, or of the images read
    copies: tuple[int, ...] = ()  # positions of those that are also in the set's training images
    trained_on: bool = False  # whether the model was trained on them, as far as its run says


def open_labelled_images(
    model: OpenedModel, *, data: str | None, split: str | None, say: Callable[[str], None]
) -> LabelledImages:
    """Open the images of one split, through the pre-processing of the model.

    Args:
        model: what they are for.
        data: what `find_images` finds; None takes the set that the model's run was trained on.
        split: which; None is `test`, or all images of those without splits.
        say: called with a sentence where a set is prepared first.

    Raises:
        DataError: missing, damaged, empty, or of other labels or another input than the model's.
    """
    if data is None:
        if model.record is None:
            raise DataError(f"{model.path}: expected labelled images, got none; name them with --data")
        opened = _of_set(model, open_run_data(model.record), split or TEST)
    elif isinstance(found := find_images(data), OwnImages):
        opened = _of_own(model, found, split)
    elif isinstance(found, KnownSet):
        # What a third-party model leaves open is as documented for the set.
        third_party = model.fit.applied_to(known_input(found, model.input.shape))
        spec = third_party if model.third_party else model.input
        opened = _of_set(model, open_known(found, spec, say=say), split or TEST)
    else:
        opened = _of_set(model, open_prepared(found), split or TEST)
    if not len(opened.images):
        raise DataError(f"{opened.data}: expected images in the split {opened.split!r}, got none")
    return opened


def _of_set(model: OpenedModel, image_set: ImageSet, split: str) -> LabelledImages:
    if image_set.labelled_by_model:
        raise DataError(
            f"{image_set.name}: expected images that somebody has labelled, got such that have the model's own answers "
            "for labels; give class folders with --data"
        )
    if image_set.labels != model.labels:
        raise DataError(
            f"{image_set.name}: expected the labels of {model.path} ({_listed(model.labels)}), "
            f"got {_listed(image_set.labels)}; the order counts too: give the class folders themselves, or another set"
        )
    fits = image_set.input == model.input
    if model.third_party:
        # As far as it is known how its images were prepared.
        same = image_set.input.shape == model.input.shape
        fits = same and model.fit.applied_to(image_set.input) == image_set.input
    if not fits:
        raise DataError(
            f"{image_set.name}: expected images prepared as {model.path} takes them ({model.input}), "
            f"got {image_set.input}; give the class folders themselves, or prepare the set again"
        )
    own = model.record is not None and model.record.data_fingerprint == image_set.fingerprint
    joined = model.record.division_of(image_set).joined if model.record is not None and own else ()
    return LabelledImages(
        image_set.name,
        split,
        image_set.split(split),
        image_set.fingerprint,
        image_set.copies.get(split, ()),
        trained_on=split in joined or (own and split == TRAIN),
    )


def _of_own(model: OpenedModel, images: OwnImages, split: str | None) -> LabelledImages:
    source = images.read()
    unknown = tuple(label for label in source.labels if label not in model.labels)
    if unknown:
        raise DataError(
            f"{images.path}: expected the labels of {model.path} ({_listed(model.labels)}), got {_listed(unknown)} too"
        )
    # Without a level of splits, a reader calls all images `train`.
    name = split or (ALL if set(source.splits) == {TRAIN} else TEST)
    part = source.splits.get(TRAIN if name == ALL else name)
    if part is None:
        raise DataError(f"{images.path}: expected a split {name!r}, got only {', '.join(source.splits)}")
    numbers = np.array([model.labels.index(label) for label in source.labels], np.int64)
    read = Split(_pixels(images, part, model.input), numbers[part.labels], tuple(part.files))
    return LabelledImages(images.name, name, read, fingerprint(model.labels, {name: read}))


def _pixels(images: OwnImages, split: SourceSplit, spec: InputSpec) -> NDArray[np.uint8]:
    """Read all images, uint8 `(N, height, width, channels)`; a test set must be whole."""

    def read(image: ImageSource) -> NDArray[np.uint8] | ImageError:
        try:
            return read_image(image, spec)
        except ImageError as error:
            return error

    pixels = np.empty((len(split), *spec.shape), np.uint8)
    for position, outcome in enumerate(map_images(read, split.images)):
        if isinstance(outcome, ImageError):
            raise DataError(f"{images.path}: {split.files[position]}: a test set must be whole; {outcome}")
        pixels[position] = outcome
    return pixels


def _listed(labels: tuple[str, ...]) -> str:
    """List labels, no more than a line of them.

    >>> _listed(("a", "b"))
    'a, b'
    """
    shown = ", ".join(labels[:12])
    return shown if len(labels) <= 12 else f"{shown}, … {len(labels)} in all"
