import numpy as np
import pytest

from edgecnn_benchmarks.measuring.answers import MAX_FLIPS, Predictions, compare

LABELS = ("a", "b", "c")
TRUTH = np.array([0, 0, 1, 1, 1, 0])
IMAGES = [f"{number}.png" for number in range(6)]


def predictions(classes: list[int], probabilities: list[float] | None = None) -> Predictions:
    return Predictions(np.array(classes), np.array(probabilities or [0.9] * len(classes), np.float32))


def test_flips_are_counted_and_ordered_by_what_they_cost() -> None:
    reference = predictions([0, 0, 1, 2, 1, 0], [0.6, 0.8, 0.9, 0.9, 0.9, 0.5])
    own = predictions([1, 2, 1, 1, 1, 0])
    against = compare(LABELS, TRUTH, IMAGES, reference=reference, own=own)
    # Two lost, the one the reference was surest of first; then the one that was won.
    assert [(flip.index, flip.label, flip.reference, flip.answer) for flip in against.flips] == [
        (1, "a", "a", "c"),
        (0, "a", "a", "b"),
        (3, "b", "c", "b"),
    ]
    assert (against.only_reference_right, against.only_this_right, against.flip_count) == (2, 1, 3)
    assert against.flips[0].image == "1.png"
    assert against.flips[0].reference_probability == pytest.approx(0.8)
    assert against.agreement == 0.5
    assert against.p_value == 1.0
    # Of three images of each class two of "a" were lost and one of "b" won; there is none of "c".
    assert against.class_changes == (pytest.approx(-2 / 3), pytest.approx(1 / 3), None)


def test_only_the_first_flips_are_listed() -> None:
    count = MAX_FLIPS + 5
    truth = np.zeros(count, np.int64)
    same, other = predictions([0] * count), predictions([1] * count)
    against = compare(LABELS, truth, [str(number) for number in range(count)], reference=same, own=other)
    assert (against.flip_count, len(against.flips)) == (count, MAX_FLIPS)
    assert against.p_value == 2 * 0.5**count
