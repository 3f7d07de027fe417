from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.division import Division, DivisionMethod, Portion, stratified_sample
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.joined_split import join_splits


def split(count: int) -> Split:
    images = np.zeros((count, 1, 1, 1), np.uint8)
    return Split(images, np.arange(count) % 2, tuple(str(number) for number in range(count)))


SET = ImageSet("set", ("a", "b"), InputSpec(1, 1, Colour.GREY), {"train": split(20), "test": split(4)}, "", "tests")


def test_validation_images_are_stratified_and_in_no_other_portion() -> None:
    division = Division.of(SET, fraction=0.2, seed=3)
    assert division == Division(method=DivisionMethod.STRATIFIED, fraction=0.2, seed=3)
    training, validation = division.divide(SET)
    assert sorted([*training.positions, *validation.positions]) == list(range(20))
    # Golden: records of earlier versions name a fraction and a seed, and mean these images.
    assert validation.positions.tolist() == [9, 12, 15, 18]
    assert np.bincount(SET.split("train").labels[validation.positions]).tolist() == [2, 2]
    again = Division.of(SET, fraction=0.2, seed=4).divide(SET)[1]
    assert again.positions.tolist() != validation.positions.tolist()


def test_a_split_for_validation_comes_before_a_share_of_the_training_images() -> None:
    with_valid = replace(SET, splits={**SET.splits, "valid": split(6)})
    division = Division.of(with_valid, fraction=0.2, seed=3)
    assert division == Division(method=DivisionMethod.VALID_SPLIT)
    training, validation = division.divide(with_valid)
    assert (training.split, training.positions.tolist()) == (with_valid.split("train"), list(range(20)))
    assert (validation.split, validation.positions.tolist()) == (with_valid.split("valid"), list(range(6)))


def test_too_few_images_are_refused() -> None:
    few = replace(SET, splits={"train": split(2)})
    with pytest.raises(DataError, match="train: expected enough images to keep 10% for validation, got 2; add images"):
        Division.of(few).divide(few)


def test_a_sample_of_a_portion_holds_images_of_that_portion() -> None:
    portion = Portion(split(20), np.arange(1, 20))
    sample = portion.sample(4, seed=0)
    assert len(sample) == len(sample.images) == 4
    assert set(sample.positions) < set(portion.positions)
    assert np.bincount(sample.labels).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ([10, 10], 4, [2, 2]),
        ([30, 10], 4, [3, 1]),
        ([5, 5, 5], 4, [2, 1, 1]),  # equal remainders: the lower class first
        ([100, 1], 10, [10, 0]),
        ([3, 3], 0, [0, 0]),
        ([3, 3], 6, [3, 3]),
    ],
)
def test_every_class_has_its_share(sizes: list[int], count: int, expected: list[int]) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    chosen = stratified_sample(labels, count, seed=3)
    assert np.bincount(labels[chosen], minlength=len(sizes)).tolist() == expected
    assert len(set(chosen.tolist())) == count
    assert (np.diff(chosen) > 0).all()


def test_the_seed_decides_and_nothing_else() -> None:
    labels = np.repeat(np.arange(10), 50)
    first = stratified_sample(labels, 100, seed=7)
    assert first.tolist() == stratified_sample(labels, 100, seed=7).tolist()
    assert first.tolist() != stratified_sample(labels, 100, seed=8).tolist()
    # Golden: a numpy release that shuffles otherwise would change every validation split; it must not go unseen.
    assert first[:6].tolist() == [0, 6, 10, 12, 20, 24]


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 0…2 images, got 3"):
        stratified_sample(np.array([0, 1]), 3, seed=0)


@pytest.mark.parametrize(
    ("held_out", "joined"), [(True, ("train", "valid", "test")), (False, ("train", "valid"))], ids=["ours", "theirs"]
)
def test_where_none_is_kept_back_all_images_are_trained_on(held_out: bool, joined: tuple[str, ...]) -> None:
    splits = {"train": split(5), "valid": split(2), "test": split(3)}
    whole = replace(SET, splits=splits, test_held_out=held_out)
    division = Division.keeping_none(whole)
    assert division == Division(method=DivisionMethod.NONE, joined=joined)
    assert division.trains_on_test is held_out
    training, validation = division.divide(whole)
    assert len(training) == len(validation) == sum(len(splits[name]) for name in joined)
    # The images that a file is compared on: those of `test`, unless the network knows them anyhow.
    assert len(division.reference(whole)) == (10 if held_out else 3)


def numbered(first: int, count: int) -> Split:
    images = np.arange(first, first + count, dtype=np.uint8).reshape(count, 1, 1, 1)
    return Split(images, np.arange(count) % 2, tuple(map(str, range(first, first + count))))


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        slice(None),
        slice(1, 9, 3),
        slice(8, 2, -2),
        np.array([9, 0, 4, 4]),
        np.arange(10) % 3 == 0,
        np.array([], int),
    ],
    ids=repr,
)
def test_joined_splits_are_read_as_one_array(key: Any) -> None:
    parts = [numbered(0, 4), numbered(4, 0), numbered(4, 6)]
    joined = join_splits(parts)
    whole = np.concatenate([part.images for part in parts])
    assert (joined.images.shape, joined.images.dtype, len(joined)) == (whole.shape, np.uint8, 10)
    np.testing.assert_array_equal(joined.images[key], whole[key])
    np.testing.assert_array_equal(np.asarray(joined.images), whole)
    assert joined.files == tuple(map(str, range(10)))
    assert join_splits(parts[:1]) is parts[0]
