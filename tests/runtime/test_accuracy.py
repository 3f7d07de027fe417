import numpy as np
import pytest
from scipy.stats import binomtest

from edgecnn_runtime.accuracy import Accuracy, mcnemar, top1_accuracy
from edgecnn_runtime.json_dataclasses import read_dataclass


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


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (0, 6), (5, 5), (12, 2), (40, 61), (900, 1000)])
def test_mcnemar_equals_scipys_binomial_test(lost: int, gained: int) -> None:
    oracle = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar(lost, gained) == pytest.approx(oracle, rel=1e-9)


@pytest.mark.parametrize(
    "document",
    [
        {"correct": 978, "total": 1000},  # a manifest
        {"correct": 978, "total": 1000, "value": 0.978, "interval": [0.9669, 0.9854]},  # metrics.json of edgecnn 0.1
        {"correct": 978, "total": 1000, "value": 0.978, "interval_95": [0.9669, 0.9854]},  # its export.json
        Accuracy(978, 1000).to_document(),
    ],
)
def test_every_form_is_read(document: dict[str, object]) -> None:
    assert read_dataclass(Accuracy, document, name="accuracy") == Accuracy(978, 1000)


def test_the_form_of_today() -> None:
    document = Accuracy(978, 1000).to_document()
    assert {name: round(value, 4) for name, value in document.items()} == {
        "value": 0.978,
        "low": 0.9669,
        "high": 0.9854,
        "correct": 978,
        "total": 1000,
    }
