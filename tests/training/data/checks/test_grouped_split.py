"""Splits that keep near-identical images together."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.checks.check import check
from edgecnn_training.data.checks.grouped_split import _joined, grouped_sample, without_copies_across
from edgecnn_training.data.checks.near_identical import near_identical
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.holdout import Holdout, with_test_split
from edgecnn_training.data.readers.class_folders import read_class_folders
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit

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


@pytest.mark.parametrize(
    ("fraction", "parts_each"),
    [(0.1, 1), (0.2, 2), (0.19, 2), (0.18, 1)],  # 4, 8, 7.6 and 7.2 of 40 images, in groups of four
)
def test_groups_fill_a_share_of_every_class(castings, fraction, parts_each):
    test = read(castings, dataclasses.replace(GROUPED, fraction=fraction)).splits["test"]
    assert np.bincount(test.labels).tolist() == [4 * parts_each] * 2


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


@given(st.integers(1, 12), st.data())
def test_groups_are_joined_by_chains_in_any_order(count, data):
    member = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(member, member), max_size=14))
    rows, columns = [one for one, _ in pairs], [other for _, other in pairs]
    _, names = connected_components(coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count)))
    expected = {frozenset(np.flatnonzero(names == name).tolist()) for name in set(names.tolist())}
    joined = _joined(count, pairs)
    assert {frozenset(group) for group in joined} == expected
    assert sorted(number for group in joined for number in group) == list(range(count))


def in_memory(**splits) -> RawImageSet:
    """Splits of images `(side, side)` of the classes a and b by turns."""
    return RawImageSet(
        ("a", "b"),
        {
            name: SourceSplit(
                [image[..., np.newaxis] for image in images],
                np.arange(len(images)) % 2,
                [f"{name}/{number}" for number in range(len(images))],
            )
            for name, images in splits.items()
        },
    )


def scene(seed: int) -> np.ndarray:
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8))
    pixels = np.asarray(noise.filter(ImageFilter.GaussianBlur(5)), float)
    return 60 + 120 * (pixels - pixels.min()) / np.ptp(pixels)


def grained(image: np.ndarray, share: float) -> np.ndarray:
    """Add fine grain, so much of the image's contrast; it leaves the low frequencies, and with them the hash, alone."""
    grain = np.where(np.add.outer(np.arange(64), np.arange(64)) % 2, 1, -1)
    return (image + share * image.std() * grain).round().astype(np.uint8)


def test_images_just_beyond_what_is_reported_stay_together():
    """They may come within the bounds when they are resized."""
    images = [grained(scene(number), share) for number in range(20) for share in (0, 0.22)]
    assert near_identical(np.stack(images)) == []
    split = in_memory(all=images).splits["all"]
    split = dataclasses.replace(split, labels=np.zeros(40, np.int64))
    chosen = grouped_sample(split, ("a",), 0.5, seed=0)
    assert len(chosen) == 20
    assert set(chosen.tolist()) == {2 * (number // 2) + other for number in chosen.tolist() for other in (0, 1)}


def test_validation_images_like_test_images_go_and_protect_nothing():
    """Of test, valid and train each resembles the next; the first and the last do not."""
    middle = scene(0)
    test, valid, train = (grained(middle, share) for share in (-0.15, 0, 0.15))
    assert [(pair.first, pair.second) for pair in near_identical(np.stack([test, valid, train]))] == [(0, 1), (1, 2)]
    others = [grained(scene(number), 0) for number in range(1, 6)]
    found = without_copies_across(in_memory(test=[test], valid=[*others[:2], valid], train=[train, *others[2:]]))
    assert {name: split.files for name, split in found.splits.items()} == {
        "test": ["test/0"],
        "valid": ["valid/0", "valid/1"],
        "train": ["train/0", "train/1", "train/2", "train/3"],
    }
    (finding,) = found.findings
    assert str(finding) == "valid: images near-identical to one in test are left out: 1 (valid/2)"


def test_what_the_reader_found_is_not_lost():
    before = Finding(FindingKind.SIZE, "images of several sizes")
    image = grained(scene(0), 0)
    source = dataclasses.replace(
        in_memory(test=[image], train=[image, *(grained(scene(n), 0) for n in (1, 2))]), findings=(before,)
    )
    assert [finding.kind for finding in without_copies_across(source).findings] == [
        FindingKind.SIZE,
        FindingKind.LEFT_OUT,
    ]


@given(st.lists(st.integers(0, 5), min_size=4, max_size=14), st.floats(0.1, 0.9), st.integers(0, 9))
def test_no_copy_is_on_both_sides_whatever_is_drawn(numbers, fraction, seed):
    """Images of six scenes, each as often and in as many orientations as it comes."""
    images = [np.rot90(grained(scene(number), 0), place % 4) for place, number in enumerate(numbers)]
    split = in_memory(all=images).splits["all"]
    split = dataclasses.replace(split, labels=np.array(numbers) // 3)
    chosen = set(grouped_sample(split, ("a", "b"), fraction, seed=seed).tolist())
    inside = {numbers[position] for position in chosen}
    assert not inside & {number for position, number in enumerate(numbers) if position not in chosen}
    for label in (0, 1):
        of_class = [position for position, number in enumerate(numbers) if number // 3 == label]
        assert len(chosen & set(of_class)) <= round(fraction * len(of_class))
