"""Folds: which images are kept back together, and a run that is trained on all images and scored by its folds."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.fit import Progress
from edgecnn_training.folds import fold_numbers, with_folds
from edgecnn_training.history import Monitor
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.train import train

SMALL = get_recipe("small-cnn")
QUICK = dataclasses.replace(SMALL.settings.overridden(epochs=2, batch_size=8), folds=2)


def images_of(labels: list[int], *, same: tuple[tuple[int, int], ...] = ()) -> Split:
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1).copy()
    for first, second in same:
        images[second] = images[first]
    return Split(images, np.array(labels), tuple(map(str, range(len(labels)))))


def test_each_class_is_divided_evenly() -> None:
    images = images_of([0] * 10 + [1] * 5)
    numbers = fold_numbers(images, 5, seed=0)
    for number in range(5):
        assert np.bincount(images.labels[numbers == number]).tolist() == [2, 1]
    np.testing.assert_array_equal(numbers, fold_numbers(images, 5, seed=0))
    assert numbers.tolist() != fold_numbers(images, 5, seed=1).tolist()


def test_images_of_the_same_pixels_are_in_one_fold() -> None:
    same = ((0, 7), (1, 12), (15, 19))
    for seed in range(5):
        numbers = fold_numbers(images_of([0] * 10 + [1] * 10, same=same), 4, seed=seed)
        assert [numbers[first] for first, _ in same] == [numbers[second] for _, second in same]
        assert set(numbers.tolist()) == {0, 1, 2, 3}


def test_a_class_of_one_image_is_always_trained_on() -> None:
    numbers = fold_numbers(images_of([0] * 6 + [1] + [2] * 2, same=((7, 8),)), 3, seed=0)
    assert numbers[6:].tolist() == [-1, -1, -1]
    assert sorted(numbers[:6].tolist()) == [0, 0, 1, 1, 2, 2]


def test_there_are_no_more_folds_than_images_of_a_class() -> None:
    assert set(fold_numbers(images_of([0] * 3 + [1] * 2), 5, seed=0).tolist()) == {0, 1, 2}
    with pytest.raises(DataError, match="folds: expected two different images of a class at least, got one of each"):
        fold_numbers(images_of([0, 0, 1], same=((0, 1),)), 5, seed=0)


@pytest.fixture(scope="module")
def few(
    tmp_path_factory: pytest.TempPathFactory,
    write_set: Callable[..., ImageSet],
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> ImageSet:
    """30 digits of three classes, 6 of them taken out for testing."""
    images, labels = digits
    chosen = np.concatenate([np.flatnonzero(labels == label)[:10] for label in range(3)])
    order = np.random.default_rng(0).permutation(30)
    train_, test = chosen[order[:24]], chosen[order[24:]]
    folder = tmp_path_factory.mktemp("sets") / "few"
    made = write_set(
        folder, {"train": (images[train_], labels[train_]), "test": (images[test], labels[test])}, labels="012"
    )
    return dataclasses.replace(made, test_held_out=True)


@pytest.fixture(autouse=True, scope="module")
def _without_figures() -> Iterator[None]:
    """They take longer than the trainings here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
        yield


def train_quickly(image_set: ImageSet, folder: Path, settings: TrainingSettings, **options: object) -> RunFolder:
    recipe = dataclasses.replace(SMALL, input_shape=(28, 28, 1))
    run = RunFolder(folder)
    train(recipe, image_set, run, settings, **options)  # type: ignore[arg-type]
    return run


@pytest.fixture(scope="module")
def folded(few: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return train_quickly(few, tmp_path_factory.mktemp("runs") / "run", QUICK)


def test_all_images_are_trained_on_and_scored_by_the_folds(folded: RunFolder, few: ImageSet) -> None:
    metrics = json.loads(folded.metrics.read_text())
    assert (metrics["split"], metrics["images"]) == ("out_of_fold", 30)
    assert {label: scores["support"] for label, scores in metrics["per_class"].items()} == {"0": 10, "1": 10, "2": 10}
    record = folded.read_record()
    assert record.division is not None
    assert record.division.joined == ("train", "test")
    assert record.recipe["folds"] == 2
    # The validation scores of the history are those of the folds.
    last = folded.history.read_text().splitlines()[-1].split(",")
    assert float(last[4]) == pytest.approx(metrics["accuracy"]["value"], abs=1e-6)
    assert not folded.checkpoints.exists()
    # What each image was taken for by a network that had not seen it, and nothing else.
    (written,) = folded.predictions.iterdir()
    assert written.name == "out_of_fold.csv"
    rows = [line.split(",") for line in written.read_text().splitlines()[1:]]
    assert (len(rows), sum(row[1] == row[2] for row in rows)) == (30, metrics["accuracy"]["correct"])


def test_a_split_for_testing_of_the_users_own_stays_unseen(few: ImageSet, tmp_path: Path) -> None:
    settings = dataclasses.replace(QUICK, epochs=1, folds=2)
    run = train_quickly(dataclasses.replace(few, test_held_out=False), tmp_path / "run", settings)
    metrics = json.loads(run.metrics.read_text())
    assert (metrics["split"], metrics["images"], metrics["out_of_fold"]["images"]) == ("test", 6, 24)
    lines = {path.name: len(path.read_text().splitlines()) - 1 for path in run.predictions.iterdir()}
    assert lines == {"test.csv": 6, "out_of_fold.csv": 24}


def test_a_stopped_run_goes_on_to_the_same_weights(folded: RunFolder, few: ImageSet, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if (progress.fold, progress.epoch) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_quickly(few, tmp_path / "run", QUICK, report=stop)
    run = RunFolder(tmp_path / "run")
    assert not run.fold(2).test_probabilities.exists()
    before = run.fold(1).test_probabilities.stat().st_mtime_ns
    kept = tmp_path / "kept"
    shutil.copytree(run.path, kept)
    seen: list[tuple[int, int]] = []
    train_quickly(few, tmp_path / "run", QUICK, resume=True, report=lambda each: seen.append((each.fold, each.epoch)))
    assert seen[0] == (2, 2)
    np.testing.assert_array_equal(np.load(run.test_probabilities), np.load(folded.test_probabilities))
    assert json.loads(run.metrics.read_text()) == json.loads(folded.metrics.read_text())
    assert (kept / "checkpoints" / "fold-1" / run.test_probabilities.name).stat().st_mtime_ns >= before


@pytest.mark.parametrize(
    ("changes", "folds"),
    [
        ({}, 5),
        ({"folds": 0}, 0),
        ({"folds": 2}, 2),
        ({"monitor": Monitor.ACCURACY}, 0),
        ({"patience": 3}, 0),
    ],
    ids=str,
)
def test_few_images_get_folds_unless_an_epoch_is_chosen(changes: dict[str, object], folds: int, few: ImageSet) -> None:
    settings = dataclasses.replace(SMALL.settings, **changes)  # type: ignore[arg-type]
    assert with_folds(settings, few, shares=1).folds == folds


def test_many_images_and_several_devices_get_none(few: ImageSet, small_set: ImageSet) -> None:
    assert with_folds(SMALL.settings, few, shares=2).folds == 0
    assert with_folds(SMALL.settings, small_set, shares=1).folds == 0


def test_a_set_is_divided_alike_at_every_size() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    labels, files = np.arange(30) % 3, tuple(map(str, range(30)))
    whole, half = (fold_numbers(Split(images, labels, files), 3, seed=1) for images in (drawn, drawn[:, ::2, ::2]))
    assert whole.tolist() == half.tolist()
