"""The images beside a third-party model: labelled in class folders, or without labels and then never called so."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_imported import write_folder

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.image_set import open_prepared
from edgecnn_training.data.calibration_images import find_calibration_images, generated_images

SPEC = InputSpec(16, 16, Colour.RGB)
LABELS = ("red", "green", "blue")


def strongest(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Take an image for the colour that is strongest in it: `(N, 3)`."""
    means = pixels.mean(axis=(1, 2), dtype=np.float32)
    return means / means.sum(axis=1, keepdims=True)


def test_class_folders_are_numbered_as_the_model_does(tmp_path: Path) -> None:
    """In another order than the folders have, and not all of them."""
    folder = write_folder(tmp_path / "images", classes=("blue", "green"), count=24)
    found = find_calibration_images(folder, labels=LABELS)
    image_set = found.write(tmp_path / "set", spec=SPEC, predict=strongest)
    assert image_set.labels == LABELS
    assert not image_set.labelled_by_model
    for name in ("train", "test"):
        split = image_set.split(name)
        assert np.bincount(split.labels, minlength=3).tolist() == [0, 6, 6]
        assert all(
            (label == 2) == file.startswith("blue/") for label, file in zip(split.labels, split.files, strict=True)
        )
    assert set(image_set.split("train").files).isdisjoint(image_set.split("test").files)


def test_splits_that_are_given_stay(tmp_path: Path) -> None:
    write_folder(tmp_path / "images/train", classes=("red", "blue"), count=16)
    write_folder(tmp_path / "images/test", classes=("red", "blue"), count=4)
    found = find_calibration_images(tmp_path / "images", labels=LABELS)
    image_set = found.write(tmp_path / "set", spec=SPEC, predict=strongest)
    assert {name: len(split) for name, split in image_set.splits.items()} == {"train": 16, "test": 4}


# What the splits are called, and of which the images to calibrate and to check on then are.
SPLITS = {
    ("train", "valid"): ("train", "valid"),
    ("Train", "VAL"): ("Train", "VAL"),
    ("train", "validation", "test"): ("train", "test"),
    ("val", "test"): ("val", "test"),
    ("training",): ("training", "training"),
    ("valid",): ("valid", "valid"),
    ("test",): ("test", "test"),
}


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("names", SPLITS)
def test_whatever_splits_there_are_some_calibrate_and_others_check(
    names: tuple[str, ...], labelled: bool, tmp_path: Path
) -> None:
    for name in names:
        write_folder(tmp_path / "images" / name, classes=("red", "blue") if labelled else (), count=12)
    found = find_calibration_images(tmp_path / "images", labels=LABELS)
    image_set = found.write(tmp_path / "set", spec=SPEC, predict=strongest)
    assert list(image_set.splits) == ["train", "test"]
    for name, split in zip(SPLITS[names], image_set.splits.values(), strict=True):
        assert len(split) == (12 if len(names) > 1 else 6)
        assert all(file.startswith(f"{name}/") for file in split.files)
    assert set(image_set.split("train").files).isdisjoint(image_set.split("test").files)
    assert image_set.labelled_by_model is not labelled


def test_folders_that_are_called_as_labels_are_classes(tmp_path: Path) -> None:
    write_folder(tmp_path / "images", classes=("train", "test"), count=24)
    found = find_calibration_images(tmp_path / "images", labels=("bus", "train", "test"))
    assert found.labelled
    assert np.bincount(found.source.splits["train"].labels).tolist() == [0, 12, 12]


def test_images_without_labels_get_the_models_answers_and_the_set_says_so(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", count=25)
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either")
    found = find_calibration_images(folder, labels=LABELS)
    # The last of the eight is the broken one.
    assert found.sample(SPEC, 8).shape == (7, 16, 16, 3)
    found.write(tmp_path / "set", spec=SPEC, predict=strongest)
    image_set = open_prepared(tmp_path / "set")
    assert image_set.labelled_by_model
    assert {name: len(split) for name, split in image_set.splits.items()} == {"train": 12, "test": 13}
    for split in image_set.splits.values():
        assert (strongest(np.asarray(split.images)).argmax(axis=1) == split.labels).all()
    (warning,) = image_set.warnings
    assert warning.startswith("images that cannot be read are left out (the first: ")
    assert warning.endswith("got something else): 1 (broken.png)")


def test_the_division_is_that_of_the_seed(tmp_path: Path) -> None:
    found = find_calibration_images(write_folder(tmp_path / "images", count=30), labels=LABELS)
    sets = [
        found.write(tmp_path / f"set{n}", spec=SPEC, predict=strongest, seed=seed) for n, seed in enumerate((0, 0, 1))
    ]
    prints = [image_set.fingerprint for image_set in sets]
    assert prints[0] == prints[1] != prints[2]


def test_generated_images_are_for_checking_only(tmp_path: Path) -> None:
    image_set = generated_images(SPEC, LABELS).write(tmp_path / "set", spec=SPEC, predict=strongest)
    assert {name: len(split) for name, split in image_set.splits.items()} == {"test": 4}
    assert image_set.labelled_by_model


def _empty(path: Path) -> None:
    path.mkdir()


def _few(path: Path) -> None:
    write_folder(path, count=9)


def _strange(path: Path) -> None:
    write_folder(path, classes=("red", "violet"))


def _unreadable(path: Path) -> None:
    write_folder(path, count=12)
    for file in sorted(path.iterdir())[:4]:
        file.write_bytes(b"no image")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            _empty,
            "expected a folder of images, or one with a sub-folder of images for each class, got an empty folder",
        ),
        (lambda path: None, "not found; expected a folder of images"),
        (lambda path: path.write_text("x"), "got another file"),
        (_few, "expected at least 10 images, better some hundred, got 9"),
        (
            _strange,
            r"expected class folders named after the labels \(3 \(red, green, blue\)\), got 1 \(violet\); rename",
        ),
        (_unreadable, "expected at least 10 images that can be read, got 8"),
    ],
)
def test_what_cannot_be_used_is_refused(make, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "images")
    with pytest.raises(DataError, match=message):
        find_calibration_images(tmp_path / "images", labels=LABELS).write(
            tmp_path / "set", spec=SPEC, predict=strongest
        )
    assert not (tmp_path / "set").exists()
