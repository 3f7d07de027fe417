from dataclasses import replace

import numpy as np
import pytest

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.division import Division, DivisionMethod
from edgecnn_runtime.workstation.image_set import ImageSet, Split


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
