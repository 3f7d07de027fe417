"""What is said of the scores where some classes have many more images than others."""

import numpy as np
import pytest

from edgecnn.printing.scores import uneven_classes_shown
from edgecnn_training.evaluation.scores import evaluate


def metrics(counts: tuple[int, ...], right: tuple[int, ...]) -> dict[str, object]:
    """Of classes with so many images, so many of which are found; the others are taken for the next class."""
    numbers = np.repeat(np.arange(len(counts)), counts)
    found = np.concatenate([np.arange(count) < hits for count, hits in zip(counts, right, strict=True)])
    taken = np.where(found, numbers, (numbers + 1) % len(counts))
    probabilities = np.eye(len(counts), dtype=np.float32)[taken]
    return evaluate(probabilities, numbers, ("ok", "dent", "scratch", *"defg")[: len(counts)]).document()


def test_the_recall_of_each_class_is_named() -> None:
    assert uneven_classes_shown(metrics((100, 10, 8), (98, 9, 4))) == (
        "Classes of 8 to 100 images: balanced accuracy 79.33%, macro F1 0.8143; found (with 95% intervals): "
        "scratch 4 of 8 (22% to 78%), dent 9 of 10 (60% to 98%), ok 98 of 100 (93% to 99%)"
    )


def test_of_many_classes_the_worst_are_listed() -> None:
    said = uneven_classes_shown(metrics((9, 3, 3, 3, 3, 3, 3), (9, 3, 3, 0, 3, 3, 3)))
    assert said is not None
    assert "found (with 95% intervals): d 0 of 3 (0% to 56%), " in said
    assert said.endswith(" and 2 more classes")


@pytest.mark.parametrize(("counts", "said"), [((9, 6), True), ((8, 6), False), ((6, 6), False), ((6, 0), False)])
def test_it_is_said_of_uneven_classes_only(counts: tuple[int, ...], said: bool) -> None:
    assert (uneven_classes_shown(metrics(counts, counts)) is not None) is said
