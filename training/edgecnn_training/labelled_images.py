"""The labelled images that a model is evaluated on: a split of a prepared set, or class folders."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.image_set import DATASET_FILE, ImageSet, Split, fingerprint, open_labelled_folder
from edgecnn_runtime.run_folder import open_run_data
from edgecnn_training.data.home import prepared_sets
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare
from edgecnn_training.data.split_names import TEST, split_of
from edgecnn_training.opened_model import OpenedModel

# What the images of class folders without a level of splits are called.
ALL = "all"


@dataclass(frozen=True)
class LabelledImages:
    """Images as a model takes them, with their true classes as the model numbers them."""

    data: str
    split: str
    images: Split
    fingerprint: str  # of the whole set, or of the class folders read


def open_labelled_images(
    model: OpenedModel, *, data: str | None, split: str | None, say: Callable[[str], None]
) -> LabelledImages:
    """Open the images of one split, through the pre-processing of the model.

    Args:
        model: what they are for.
        data: a known set, a prepared set, or class folders with or without a level of splits; None takes the set
            that the model's run was trained on.
        split: which; None is `test`, or all images of class folders that have no such level.
        say: told, in a sentence, that a set is prepared first.

    Raises:
        DataError: missing, damaged, empty, or of other labels or another input than the model's.
    """
    if data is None:
        if model.record is None:
            raise DataError(f"{model.path}: labelled images expected, got none; name them with --data")
        opened = _of_set(model, open_run_data(model.record), split or TEST)
    elif (folder := Path(data)).is_dir() and data not in KNOWN_SETS and not (folder / DATASET_FILE).exists():
        opened = _of_class_folders(model, folder, split)
    elif data in KNOWN_SETS or data in prepared_sets() or folder.is_dir():
        opened = _of_set(model, open_or_prepare(data, say=say, spec=model.input), split or TEST)
    else:
        raise DataError(
            f"{data}: a folder with one sub-folder a class, a prepared image set, or the name of a known one "
            f"({', '.join(KNOWN_SETS)}), expected; see 'edgecnn data list'"
        )
    if not len(opened.images):
        raise DataError(f"{opened.data}: images in the split {opened.split!r} expected, got none")
    return opened


def _of_set(model: OpenedModel, image_set: ImageSet, split: str) -> LabelledImages:
    if image_set.labels != model.labels:
        raise DataError(
            f"{image_set.name}: the labels of {model.path} expected ({_listed(model.labels)}), "
            f"got {_listed(image_set.labels)}; the order counts too: give the class folders themselves, or another set"
        )
    if image_set.input != model.input:
        raise DataError(
            f"{image_set.name}: images prepared as {model.path} takes them expected ({model.input}), "
            f"got {image_set.input}; give the class folders themselves, or prepare the set again"
        )
    return LabelledImages(image_set.name, split, image_set.split(split), image_set.fingerprint)


def _of_class_folders(model: OpenedModel, folder: Path, split: str | None) -> LabelledImages:
    levels = {split_of(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}
    chosen = levels.get(split or TEST)
    if chosen is None and split is not None:
        found = ", ".join(sorted(name for name in levels if name)) or "no such level"
        raise DataError(f"{folder}: a folder {split!r} of class folders expected, got {found}")
    images = open_labelled_folder(chosen or folder, labels=model.labels, spec=model.input)
    name = (split or TEST) if chosen else ALL
    return LabelledImages(folder.resolve().name, name, images, fingerprint(model.labels, {name: images}))


def _listed(labels: tuple[str, ...]) -> str:
    """List labels, no more than a line of them.

    >>> _listed(("a", "b"))
    'a, b'
    """
    shown = ", ".join(labels[:12])
    return shown if len(labels) <= 12 else f"{shown}, … {len(labels)} in all"
