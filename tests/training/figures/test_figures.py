"""The figures are looked at by people; what a test can see is that they are drawn, and what their words say."""

import dataclasses
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from edgecnn_runtime.workstation.image_set import Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training import figures
from edgecnn_training.evaluation.scores import evaluate
from edgecnn_training.history import Epoch

HISTORY = [Epoch(number, 1 / number, 1 - 0.5 / number, 0.9 / number, 0.9, 0.001, 1.0) for number in range(1, 4)]


def predictions(classes: int, images: int, *, wrong: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities for `images` images, the first `wrong` of which are taken for the next class; surer and surer."""
    numbers = np.arange(images) % classes
    predicted = np.where(np.arange(images) < wrong, (numbers + 1) % classes, numbers)
    sure = np.linspace(0.6, 0.9, images)[:, np.newaxis]
    return numbers, np.where(np.eye(classes)[predicted] == 1, sure, (1 - sure) / (classes - 1)).astype(np.float32)


def pixels(images: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, 8, 8, channels), np.uint8)


def drawn(figure: Figure) -> Image.Image:
    file = BytesIO()
    FigureCanvasAgg(figure).print_figure(file)
    return Image.open(file)


def words(figure: Figure) -> str:
    texts = [figure.get_suptitle()] + [text.get_text() for axes in figure.axes for text in (axes.title, *axes.texts)]
    return "\n".join(texts)


def small_model() -> Any:
    import keras

    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="small")


def test_all_are_written(tmp_path: Path) -> None:
    numbers, probabilities = predictions(3, 12, wrong=2)
    split = Split(pixels(12), numbers, ("",) * 12)
    evaluation = evaluate(probabilities, numbers, ("a", "b", "c"))
    labels = ("a", "b", "c")
    figures.draw_all(
        RunFolder(tmp_path), HISTORY, HISTORY[-1], evaluation, split, probabilities, labels, model=small_model()
    )
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "classification_report.png",
        "confusion_matrix.png",
        "confusion_matrix_normalised.png",
        "misclassified.png",
        "network.png",
        "predictions.png",
        "training_curves.html",
        "training_curves.png",
    ]
    for path in (tmp_path / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 300


def test_curves_tell_where_fine_tuning_begins() -> None:
    history = [*HISTORY[:2], dataclasses.replace(HISTORY[2], stage=2)]
    for axes in figures.training_curves(history, history[0]).axes:
        (line,) = (line for line in axes.lines if line.get_label() == "fine-tuning")
        assert list(line.get_xdata()) == [2.5, 2.5]


@pytest.mark.parametrize("history", [[(0.0, 1.0)], [(2.0, 0.2), (0.0, 1.0)], [(1.0, 0.0)] * 3], ids=str)
def test_curves_show_whole_marks_on_scales_of_what_can_be(history: list[tuple[float, float]]) -> None:
    epochs = [Epoch(number, loss, share, loss, share, 0.001, 1.0) for number, (loss, share) in enumerate(history, 1)]
    figure = figures.training_curves(epochs, epochs[-1])
    drawn(figure)
    for axes in figure.axes:
        assert not any(line.get_clip_on() for line in axes.lines if line.get_marker() == "o")
        assert axes.get_ylim()[0] >= 0
        left, right = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if left <= tick <= right]
        assert ticks == [epoch.epoch for epoch in epochs]
    assert figure.axes[1].get_ylim()[1] <= 1


@pytest.mark.parametrize("epochs", [1, 3])
def test_curves_name_the_best_epoch(epochs: int) -> None:
    figure = figures.training_curves(HISTORY[:epochs], HISTORY[epochs - 1])
    drawn(figure)
    assert f"best epoch {epochs} of {epochs}" in words(figure)


@pytest.mark.parametrize(("classes", "wrong"), [(2, 0), (10, 7), (51, 5)])
def test_confusion_matrix_counts(classes: int, wrong: int) -> None:
    labels = tuple(f"class {number}" for number in range(classes))
    numbers, probabilities = predictions(classes, 120, wrong=wrong)
    figure = figures.confusion_matrix(evaluate(probabilities, numbers, labels), labels)
    drawn(figure)
    assert f"{120 - wrong} of 120 right" in words(figure)
    counts = [int(text.get_text()) for text in figure.axes[0].texts]
    assert sum(counts) == (120 if classes <= 50 else 0)


def test_report_shows_a_class_that_is_never_predicted() -> None:
    numbers, probabilities = predictions(3, 12, wrong=12)
    evaluation = evaluate(probabilities, numbers, ("a", "b", "c"))
    figure = figures.classification_report(evaluation, ("a", "b", "c"), split="valid")
    drawn(figure)
    assert "valid split" in words(figure)


@pytest.mark.parametrize(("classes", "wrong"), [(2, 0), (10, 7), (50, 5)])
def test_normalised_matrix_is_in_per_cent_of_the_true_class(classes: int, wrong: int) -> None:
    labels = tuple(f"class {number}" for number in range(classes))
    numbers, probabilities = predictions(classes, 4 * classes, wrong=wrong)
    figure = figures.normalised_confusion_matrix(evaluate(probabilities, numbers, labels), labels)
    drawn(figure)
    # Of class 0 one image in four is wrong, if any is.
    assert figure.axes[0].texts[0].get_text().rstrip("0").rstrip(".") == ("75" if wrong else "1")
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == list(labels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("wrong", "shown"), [(0, 0), (1, 1), (30, 18)])
def test_misclassified_shows_the_surest_errors_first(channels: int, wrong: int, shown: int) -> None:
    numbers, probabilities = predictions(4, 40, wrong=wrong)
    figure = figures.misclassified(Split(pixels(40, channels), numbers, ("",) * 40), probabilities, tuple("abcd"))
    drawn(figure)
    assert ("none" if wrong == 0 else f"{wrong} of 40") in words(figure)
    assert sum(bool(axes.images) for axes in figure.axes) == shown
    if wrong:
        surest = wrong - 1
        assert figure.axes[0].get_title() == (
            f"predicted {'abcd'[(numbers[surest] + 1) % 4]} ({probabilities[surest].max():.0%})"
        )
        assert figure.axes[0].texts[0].get_text() == f"true {'abcd'[numbers[surest]]}"


@pytest.mark.parametrize(("images", "shown"), [(5, 5), (200, 24)])
def test_predictions_show_every_class_with_its_confidence(images: int, shown: int) -> None:
    numbers, probabilities = predictions(4, images, wrong=1)
    figure = figures.predictions(Split(pixels(images, 3), numbers, ("",) * images), probabilities, tuple("abcd"))
    drawn(figure)
    cells = [axes for axes in figure.axes if axes.images]
    assert len(cells) == shown
    assert {axes.texts[0].get_text() for axes in cells} == {f"true {label}" for label in "abcd"}
    assert all("%)" in axes.get_title() for axes in cells)
    assert f"{shown} of {images} test images" in words(figure)


def test_labels_are_no_formulas(tmp_path: Path) -> None:
    labels = ("$\\frac$", "<b> & ${x}", "a" * 60)
    numbers, probabilities = predictions(3, 12, wrong=2)
    evaluation = evaluate(probabilities, numbers, labels)
    figures.draw_evaluation(tmp_path, evaluation, Split(pixels(12), numbers, ("",) * 12), probabilities, labels)
    assert len(list(tmp_path.iterdir())) == 5
