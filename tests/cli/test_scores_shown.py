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
    return evaluate(probabilities, numbers, ("ok", "dent", "scratch")[: len(counts)]).document()


def test_the_worst_class_is_named() -> None:
    assert uneven_classes_shown(metrics((100, 10, 8), (98, 9, 4))) == (
        "Classes of 8 to 100 images: balanced accuracy 79.33%, macro F1 0.8143; worst class scratch: 4 of 8 "
        "(95% interval 22% to 78%)"
    )


@pytest.mark.parametrize(("counts", "said"), [((9, 6), True), ((8, 6), False), ((6, 6), False), ((6, 0), False)])
def test_it_is_said_of_uneven_classes_only(counts: tuple[int, ...], said: bool) -> None:
    assert (uneven_classes_shown(metrics(counts, counts)) is not None) is said
