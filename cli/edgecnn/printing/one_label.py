"""A warning where a third-party model gives nearly all images the same label, as one does with wrong pixels."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgecnn.console import Console

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.pipeline import Item

# Of fewer images, or with a smaller share, it is no sign.
_IMAGES, _SHARE = 20, 0.95


def warn_of_one_label(console: Console, classifier: "Classifier", items: "Iterator[Item]") -> "Iterator[Item]":
    """Pass the items on, and warn at their end where one label takes nearly all of them."""
    labels: Counter[str] = Counter()
    for item in items:
        if item.prediction is not None:
            labels[item.prediction.label] += 1
        yield item
    if classifier.is_third_party and (text := one_label(labels)):
        console.warn(text)


def one_label(labels: Counter[str]) -> str | None:
    """Say that one label takes nearly all images; None where none does."""
    total = labels.total()
    label, count = next(iter(labels.most_common(1)), ("", 0))
    if total < _IMAGES or count < _SHARE * total:
        return None
    return (
        f"{count:,} of {total:,} images are {label}; if they should not be, the model takes other pixels, colours or "
        "labels than it is given (--preprocess, --scale, --colour, --labels)"
    )
