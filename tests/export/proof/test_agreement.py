"""What is said of a file on images that nobody labelled: how often it agrees, and what that would cost."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from edgecnn_export.proof.parity import KerasReference, Parity

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


def test_differences_are_those_of_the_probabilities() -> None:
    """Of either sign; Keras gives 0.8 where this file gives 0.3."""
    file = KERAS.copy()
    file[2] = (0.3, 0.4, 0.3)
    parity = KerasReference(IMAGES, ANSWERS, KERAS).parity(file)
    assert parity.largest_difference == pytest.approx(0.5)
    assert parity.mean_difference == pytest.approx((0.2 + 0.3 + 0.5) / 12)


def measured(*, lost: int, gained: int, images: int = 100) -> Parity:
    """A file that is right on other images than Keras, which is wrong on half of them."""
    right, wrong = np.array([0.9, 0.1], np.float32), np.array([0.1, 0.9], np.float32)
    keras = np.where(np.arange(images)[:, np.newaxis] < images // 2, right, wrong)
    file = keras.copy()
    file[:lost] = wrong
    file[images - gained :] = right
    return KerasReference(np.zeros((images, 1, 1, 1), np.uint8), np.zeros(images, np.int64), keras).parity(file)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (10, 2), (2, 10), (30, 0)])
def test_the_drop_has_the_upper_end_of_an_interval(lost: int, gained: int) -> None:
    """Of the difference of paired proportions, from the table's variance (A. Agresti, 10.1.1)."""
    parity = measured(lost=lost, gained=gained)
    assert (parity.lost, parity.gained) == (lost, gained)
    assert (parity.accuracy.correct, parity.accuracy_keras.correct) == (50 - lost + gained, 50)
    change = np.repeat([1.0, -1.0, 0.0], [lost, gained, 100 - lost - gained])
    assert parity.drop == pytest.approx(100 * change.mean())
    assert parity.drop_at_most == pytest.approx(100 * (change.mean() + norm.ppf(0.95) * change.std() / 10), abs=0.01)


@pytest.mark.parametrize(
    ("lost", "gained", "significant"),
    [(0, 0, False), (1, 0, False), (5, 0, False), (6, 0, True), (0, 6, True), (9, 3, False), (15, 4, True)],
)
def test_a_difference_is_significant_by_mcnemars_test(lost: int, gained: int, significant: bool) -> None:
    parity = measured(lost=lost, gained=gained)
    assert parity.p_value == pytest.approx(binomtest(lost, lost + gained).pvalue if lost + gained else 1)
    assert parity.is_significant is significant


def test_the_first_images_alone_can_be_compared() -> None:
    reference = KerasReference(IMAGES, ANSWERS, KERAS)
    parity = reference.parity(file_that_names(0, 1, 2, 1)[:1])
    assert (parity.accuracy.total, parity.agreement) == (1, 1.0)
