"""What is said of a file on images that nobody labelled: how often it agrees, and what that would cost."""

import numpy as np
import pytest

from edgecnn_export.proof.parity import KerasReference

KERAS = np.array([[0.5, 0.48, 0.02], [0.9, 0.06, 0.04], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1]], np.float32)
ANSWERS = KERAS.argmax(axis=1)
IMAGES = np.zeros((4, 1, 1, 1), np.uint8)


def file_that_names(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize(
    ("classes", "agreement", "expected_drop"),
    [
        ((0, 0, 2, 1), 1.0, 0.0),
        ((1, 0, 2, 1), 0.75, 100 * (0.5 - 0.48) / 4),  # between two near winners
        ((0, 2, 2, 1), 0.75, 100 * (0.9 - 0.04) / 4),  # an absurd one
        ((2, 2, 0, 2), 0.0, 100 * (0.48 + 0.86 + 0.7 + 0.5) / 4),
    ],
)
def test_a_flip_costs_what_the_float_model_would_expect(
    classes: tuple[int, ...], agreement: float, expected_drop: float
) -> None:
    parity = KerasReference(IMAGES, ANSWERS, KERAS, labelled_by_model=True).parity(file_that_names(*classes))
    assert parity.labelled_by_model
    assert parity.agreement == parity.accuracy.value == agreement
    assert parity.drop == pytest.approx(expected_drop, abs=1e-4)


def test_with_labels_the_drop_is_counted() -> None:
    parity = KerasReference(IMAGES, ANSWERS, KERAS).parity(file_that_names(1, 0, 2, 1))
    assert not parity.labelled_by_model
    assert parity.drop == 25.0
