"""The scores of `metrics.json` in words."""

from collections.abc import Mapping
from typing import Any

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.json_dataclasses import read_dataclass


def accuracy_shown(metrics: Mapping[str, Any]) -> str:
    """Say the accuracy, its interval and the number of images."""
    accuracy = read_dataclass(Accuracy, metrics["accuracy"], name="metrics.json: accuracy")
    low, high = accuracy.interval
    return (
        f"{accuracy.value:.2%} (95% interval {low:.2%} to {high:.2%}): "
        f"{accuracy.correct:,} of {accuracy.total:,} images"
    )


def without_copies_shown(metrics: Mapping[str, Any]) -> str | None:
    """Say the scores without the images that are also in the training images; None where there are none."""
    clean = metrics.get("without_copies")
    if clean is None:
        return None
    count = metrics["images"] - clean["images"]
    images = "1 image that is" if count == 1 else f"{count:,} images that are"
    f1 = clean["weighted_f1"]
    return f"Without {images} also in train, or nearly so: accuracy {accuracy_shown(clean)}, weighted F1 {f1:.4f}"
