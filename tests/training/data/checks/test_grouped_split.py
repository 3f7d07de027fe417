"""Splits that keep near-identical images together."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.checks.check import check
from edgecnn_training.data.finding import FindingKind
from edgecnn_training.data.holdout import Holdout, with_test_split
from edgecnn_training.data.readers.class_folders import read_class_folders
from edgecnn_training.data.readers.source import RawImageSet

GROUPED = Holdout(0.25, seed=0, group_near_duplicates=True)


@pytest.fixture
def castings(tmp_path) -> Path:
    """Of two classes ten parts each, every part photographed once and stored in four orientations."""
    generator = np.random.default_rng(2)
    for label in ("ok", "defective"):
        (tmp_path / label).mkdir()
        for part in range(10):
            noise = Image.fromarray(generator.integers(0, 256, (48, 48), np.uint8))
            photo = noise.filter(ImageFilter.GaussianBlur(4))
            for turn in range(4):
                photo.rotate(90 * turn).save(tmp_path / label / f"{part}_{turn}.png")
    return tmp_path


def read(folder: Path, holdout: Holdout) -> RawImageSet:
    return with_test_split(read_class_folders(folder), holdout, name=str(folder))


def parts(split) -> set[str]:
    return {file.partition("_")[0] for file in split.files}


def copies_across(source) -> list[str]:
    return [
        str(found)
        for found in check(source).findings
        if found.kind is FindingKind.NEAR_IDENTICAL and "one in" in str(found)
    ]


def test_no_part_is_on_both_sides(castings):
    source = read(castings, GROUPED)
    train, test = source.splits["train"], source.splits["test"]
    assert not parts(train) & parts(test)
    assert copies_across(source) == []
    # A quarter of 40 images is 10; of groups of four, two fit.
    assert np.bincount(test.labels).tolist() == [8, 8]
    assert len(train) + len(test) == 80


def test_without_the_option_parts_are_on_both_sides(castings):
    assert copies_across(read(castings, Holdout(0.25)))


def test_the_choice_follows_the_seed(castings):
    first, again = (read(castings, GROUPED) for _ in range(2))
    other = read(castings, Holdout(0.25, seed=1, group_near_duplicates=True))
    assert first.splits["test"].files == again.splits["test"].files != other.splits["test"].files


def test_an_image_that_cannot_be_read_does_not_hinder(castings):
    (castings / "ok" / "3_1.png").write_bytes(b"damaged")
    assert "ok/3_1.png" in read(castings, GROUPED).splits["train"].files


def test_one_group_that_is_too_large(tmp_path):
    for label, level in (("a", 10), ("b", 200)):
        (tmp_path / label).mkdir()
        for number in range(8):
            gradient = np.add.outer(np.arange(32), level // 10 * np.arange(32) % 97).astype(np.uint8)
            Image.fromarray(gradient).save(tmp_path / label / f"{number}.png")
    with pytest.raises(DataError, match="enough images to keep 25%"):
        read(tmp_path, GROUPED)


@pytest.fixture
def given_splits(tmp_path, castings) -> Path:
    """Parts 0 to 7 to train on, 8 and 9 to test on, 6 and 7 to validate on; of some parts a turn stands elsewhere too.

    Of part 8 one turn is in train, of part 0 one in valid.
    """
    root = tmp_path / "split"
    for label in ("ok", "defective"):
        for file in sorted((castings / label).iterdir()):
            part, turn = file.stem.split("_")
            split = "test" if part in "89" else "valid" if part in "67" else "train"
            if label == "ok":
                split = {("8", "1"): "train", ("0", "1"): "valid"}.get((part, turn), split)
            (root / split / label).mkdir(parents=True, exist_ok=True)
            file.rename(root / split / label / file.name)
    return root


def test_given_test_images_stay_and_their_copies_leave_training(given_splits):
    plain, grouped = read(given_splits, Holdout()), read(given_splits, GROUPED)
    assert copies_across(plain)
    assert copies_across(grouped) == []
    assert grouped.splits["test"].files == plain.splits["test"].files
    assert grouped.splits["valid"].files == plain.splits["valid"].files
    gone = {"train/ok/8_1.png", "train/ok/0_0.png", "train/ok/0_2.png", "train/ok/0_3.png"}
    assert set(plain.splits["train"].files) - set(grouped.splits["train"].files) == gone
    (finding,) = grouped.findings
    assert set(finding.cases) == gone
    assert "train: images near-identical to one in test or valid are left out" in str(finding)


def test_a_class_that_would_lose_all_training_images(tmp_path, castings):
    for label in ("ok", "defective"):
        (tmp_path / "split" / "test" / label).mkdir(parents=True)
        for turn in (0, 1):
            part = range(10) if label == "ok" else range(1)
            for number in part:
                (castings / label / f"{number}_{turn}.png").rename(
                    tmp_path / "split" / "test" / label / f"{number}_{turn}.png"
                )
        (tmp_path / "split" / "train").mkdir(exist_ok=True)
        (castings / label).rename(tmp_path / "split" / "train" / label)
    with pytest.raises(
        DataError, match=r"without near-identical images: expected training images of every class, got none of: ok;"
    ):
        read(tmp_path / "split", GROUPED)
