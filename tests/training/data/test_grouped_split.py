"""Splits that keep near-identical images together."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.check import check
from edgecnn_training.data.class_folders import Holdout, read_class_folders
from edgecnn_training.data.finding import Kind

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


def parts(split) -> set[str]:
    return {file.partition("_")[0] for file in split.files}


def copies_across(source) -> list[str]:
    return [
        str(found) for found in check(source).findings if found.kind is Kind.NEAR_IDENTICAL and "one in" in str(found)
    ]


def test_no_part_is_on_both_sides(castings):
    source = read_class_folders(castings, holdout=GROUPED)
    train, test = source.splits["train"], source.splits["test"]
    assert not parts(train) & parts(test)
    assert copies_across(source) == []
    # A quarter of 40 images is 10; of groups of four, two fit.
    assert np.bincount(test.labels).tolist() == [8, 8]
    assert len(train) + len(test) == 80


def test_without_the_option_parts_are_on_both_sides(castings):
    assert copies_across(read_class_folders(castings, holdout=Holdout(0.25)))


def test_the_choice_follows_the_seed(castings):
    first, again = (read_class_folders(castings, holdout=GROUPED) for _ in range(2))
    other = read_class_folders(castings, holdout=Holdout(0.25, seed=1, group_near_duplicates=True))
    assert first.splits["test"].files == again.splits["test"].files != other.splits["test"].files


def test_an_image_that_cannot_be_read_does_not_hinder(castings):
    (castings / "ok" / "3_1.png").write_bytes(b"damaged")
    assert "ok/3_1.png" in read_class_folders(castings, holdout=GROUPED).splits["train"].files


def test_one_group_that_is_too_large(tmp_path):
    for label, level in (("a", 10), ("b", 200)):
        (tmp_path / label).mkdir()
        for number in range(8):
            gradient = np.add.outer(np.arange(32), level // 10 * np.arange(32) % 97).astype(np.uint8)
            Image.fromarray(gradient).save(tmp_path / label / f"{number}.png")
    with pytest.raises(DataError, match="enough images to keep 25%"):
        read_class_folders(tmp_path, holdout=GROUPED)


def test_a_test_folder_is_not_divided_anew(tmp_path, castings):
    for name in ("train", "test"):
        for label in ("ok", "defective"):
            (tmp_path / "split" / name / label).mkdir(parents=True)
            (tmp_path / "split" / name / label / "1.png").touch()
    with pytest.raises(DataError, match="--group-near-duplicates only where"):
        read_class_folders(tmp_path / "split", holdout=GROUPED)
