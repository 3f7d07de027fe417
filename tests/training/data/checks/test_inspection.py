"""What an inspected image set says about itself."""

import numpy as np
import pytest

from edgecnn_training.data.checks.inspection import inspect

LABELS = ("cat", "dog")


def digests(text: str) -> list[bytes]:
    return [letter.encode() for letter in text]


# Labels and images (a letter each) of train and test, expected counts, and the warnings.
CASES = {
    "nothing wrong": ([0, 1], "ab", [0, 1], "cd", {}, []),
    "the whole set": ([0, 1], "ab", [0, 1], "cd", {"train": 2, "test": 2}, []),
    "a part of the set": (
        [0, 1],
        "ab",
        [0, 1],
        "cd",
        {"train": 60_000, "test": 2},
        ["train: expected 60,000 images in the whole set, got 2"],
    ),
    "slightly unbalanced": ([0, 0, 0, 1, 1], "abcde", [0, 1], "xy", {}, []),
    "unbalanced": (
        [0, 1, 1],
        "abc",
        [0, 1],
        "xy",
        {},
        ["train: unbalanced classes, 2 images of dog and 1 of cat"],
    ),
    "a class missing": ([0, 1], "ab", [0, 0], "xy", {}, ["test: no image of class dog"]),
    "duplicates": ([0, 1, 0, 1], "abaa", [0, 1], "xy", {}, ["train: 2 images are byte-identical to an earlier one"]),
    "one shared": (
        [0, 1],
        "ab",
        [0, 1],
        "bx",
        {},
        ["test: 1 image is also in train, byte for byte; a score on them flatters the model"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_warnings(case):
    train, train_images, test, test_images, counts, expected = CASES[case]
    warnings = inspect(
        LABELS,
        numbers={"train": np.array(train), "test": np.array(test)},
        digests={"train": digests(train_images), "test": digests(test_images)},
        counts=counts,
        copies={},
    )
    assert list(warnings) == expected


def test_near_identical_images_are_told_apart_from_identical_ones():
    warnings = inspect(
        LABELS,
        numbers={"train": np.array([0, 1]), "test": np.array([0, 1, 1])},
        digests={"train": digests("ab"), "test": digests("bxy")},
        counts={},
        copies={"test": (0, 2)},
    )
    assert "test: 1 image is near-identical to one in train; a score on them flatters the model" in warnings
