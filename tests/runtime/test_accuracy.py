import numpy as np
import pytest
from scipy.stats import binomtest

from edgecnn_runtime.accuracy import Accuracy, mcnemar, top1_accuracy, top1_agreement


@pytest.mark.parametrize(("correct", "total"), [(0, 1), (1, 1), (0, 10), (10, 10), (6, 12), (978, 1000), (9915, 10000)])
def test_interval_equals_scipys_wilson_interval(correct: int, total: int) -> None:
    oracle = binomtest(correct, total).proportion_ci(confidence_level=0.95, method="wilson")
    assert Accuracy(correct, total).interval == pytest.approx((oracle.low, oracle.high), abs=1e-12)


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="correct <= total"):
        Accuracy(correct, total)


def test_top1_counts_the_lower_class_where_two_are_equal() -> None:
    probabilities = np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]], np.float32)
    assert top1_accuracy(probabilities, np.array([0, 1, 1])) == Accuracy(2, 3)
    assert top1_agreement(probabilities, probabilities[[1, 0, 2]]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (0, 6), (5, 5), (12, 2), (40, 61), (900, 1000)])
def test_mcnemar_equals_scipys_binomial_test(lost: int, gained: int) -> None:
    oracle = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar(lost, gained) == pytest.approx(oracle, rel=1e-9)
