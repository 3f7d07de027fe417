import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_training.evaluation.scores import cross_entropy, evaluate

# Six images of the classes 0 0 0 1 1 2, taken for 0 0 1 1 1 0: class 2 is never predicted.
NUMBERS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.3, 0.4, 0.3], [0.5, 0.25, 0.25]],
    np.float32,
)


def test_scores_by_hand() -> None:
    evaluation = evaluate(PROBABILITIES, NUMBERS, ("a", "b", "c"))
    assert (evaluation.accuracy.correct, evaluation.accuracy.total) == (4, 6)
    assert evaluation.confusion.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    table = [(scores.precision, scores.recall, scores.f1, scores.support) for scores in evaluation.per_class]
    assert table == [
        pytest.approx((2 / 3, 2 / 3, 2 / 3, 3)),
        pytest.approx((2 / 3, 1, 0.8, 2)),
        pytest.approx((0, 0, 0, 1)),
    ]
    assert evaluation.macro_f1 == pytest.approx((2 / 3 + 0.8) / 3)
    assert evaluation.weighted_f1 == pytest.approx((3 * 2 / 3 + 2 * 0.8) / 6)
    assert evaluation.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert evaluation.per_class[0].found == Accuracy(2, 3)
    assert evaluation.loss == pytest.approx(-np.log([0.8, 0.6, 0.2, 0.8, 0.4, 0.25]).mean(), rel=1e-6)
    assert "weighted avg" in evaluation.report


def test_loss_is_that_of_keras() -> None:
    import keras

    expected = keras.losses.SparseCategoricalCrossentropy()(NUMBERS, PROBABILITIES)
    assert cross_entropy(PROBABILITIES, NUMBERS) == pytest.approx(float(expected), rel=1e-6)


def test_a_certain_error_has_a_finite_loss() -> None:
    assert cross_entropy(np.array([[1, 0]], np.float32), np.array([1])) == pytest.approx(-np.log(1e-7))


def test_a_class_without_images_does_not_count() -> None:
    evaluation = evaluate(PROBABILITIES[:5], NUMBERS[:5], ("a", "b", "c"))
    assert evaluation.balanced_accuracy == pytest.approx(balanced_accuracy_score(NUMBERS[:5], [0, 0, 1, 1, 1]))
    assert evaluation.per_class[2].found is None
    assert "recall_low" not in evaluation.document()["per_class"]["c"]


def test_labels_that_are_also_names_of_means() -> None:
    document = evaluate(PROBABILITIES, NUMBERS, ("accuracy", "macro avg", "é")).document()
    assert list(document["per_class"]) == ["accuracy", "macro avg", "é"]
    assert document["per_class"]["accuracy"]["support"] == 3
    assert json.loads(json.dumps(document)) == document


def test_scores_without_images_that_were_trained_on() -> None:
    evaluation = evaluate(PROBABILITIES, NUMBERS, ("a", "b", "c"), copies=(2, 5))
    clean = evaluation.without_copies
    assert clean is not None
    assert (clean.accuracy.correct, clean.accuracy.total) == (4, 4)
    assert evaluation.document()["without_copies"] == clean.document()
    assert evaluation.accuracy == evaluate(PROBABILITIES, NUMBERS, ("a", "b", "c")).accuracy


@pytest.mark.parametrize("copies", [(), (0, 1, 2, 3, 4, 5)])
def test_nothing_to_leave_out_or_nothing_left(copies: tuple[int, ...]) -> None:
    assert "without_copies" not in evaluate(PROBABILITIES, NUMBERS, ("a", "b", "c"), copies=copies).document()
