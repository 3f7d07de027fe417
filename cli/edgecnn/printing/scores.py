"""The scores of `metrics.json` in words."""

from collections.abc import Mapping
from typing import Any

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.json_dataclasses import read_dataclass

# From which ratio of the images of two classes on the accuracy hides how the smaller one fares.
_UNEVEN = 1.5
# The worst of them are listed, so many at most.
_CLASSES_SHOWN = 5


def accuracy_shown(metrics: Mapping[str, Any]) -> str:
    """Say the accuracy, its interval and the number of images."""
    accuracy = read_dataclass(Accuracy, metrics["accuracy"], name="metrics.json: accuracy")
    low, high = accuracy.interval
    return (
        f"{accuracy.value:.2%} (95% interval {low:.2%} to {high:.2%}): "
        f"{accuracy.correct:,} of {accuracy.total:,} images"
    )


def scores_shown(metrics: Mapping[str, Any]) -> list[str]:
    """Say the accuracy of a run, and which images by which networks it rests on."""
    folds = metrics if metrics["split"] == "out_of_fold" else metrics.get("out_of_fold")
    lines = []
    if folds is not metrics:
        lines.append(f"Test accuracy {accuracy_shown(metrics)}, weights of epoch {metrics['best_epoch']}")
    if folds is not None:
        lines.append(f"Out-of-fold accuracy {accuracy_shown(folds)}, each by a network not trained on it")
    if folds is metrics:
        lines.append("The model itself is trained on these images too, so that only new ones can test it.")
    return lines


def last_epoch_shown(metrics: Mapping[str, Any]) -> str | None:
    """Say the validation accuracy of the epoch that was kept and of the last one; None where that was kept.

    Runs of earlier versions do not have it.
    """
    best, last = metrics["best_epoch"], metrics.get("last_epoch")
    if last in (None, best):
        return None
    return (
        f"Validation accuracy {metrics['best_val_accuracy']:.2%} in epoch {best}, "
        f"{metrics['last_val_accuracy']:.2%} in the last one, {last}"
    )


def uneven_classes_shown(metrics: Mapping[str, Any]) -> str | None:
    """Say how the classes fare one by one, where some have many more images than others; None where none has."""
    classes = {label: scores for label, scores in metrics["per_class"].items() if scores["support"]}
    counts = [scores["support"] for scores in classes.values()]
    if max(counts) < _UNEVEN * min(counts):
        return None
    worst_first = sorted(classes.items(), key=lambda each: each[1]["recall"])
    shown = [_found(label, scores) for label, scores in worst_first[:_CLASSES_SHOWN]]
    more = f" and {len(classes) - _CLASSES_SHOWN:,} more classes" if len(classes) > _CLASSES_SHOWN else ""
    return (
        f"Classes of {min(counts):,} to {max(counts):,} images: balanced accuracy {metrics['balanced_accuracy']:.2%}, "
        f"macro F1 {metrics['macro_f1']:.4f}; found (with 95% intervals): {', '.join(shown)}{more}"
    )


def _found(label: str, scores: Mapping[str, Any]) -> str:
    found = round(scores["recall"] * scores["support"])
    low, high = scores["recall_low"], scores["recall_high"]
    return f"{label} {found:,} of {scores['support']:,} ({low:.0%} to {high:.0%})"


def without_copies_shown(metrics: Mapping[str, Any]) -> str | None:
    """Say the scores without the images that are also in the training images; None where there are none."""
    clean = metrics.get("without_copies")
    if clean is None:
        return None
    count = metrics["images"] - clean["images"]
    images = "1 image that is" if count == 1 else f"{count:,} images that are"
    f1 = clean["weighted_f1"]
    return f"Without {images} also in train, or nearly so: accuracy {accuracy_shown(clean)}, weighted F1 {f1:.4f}"
