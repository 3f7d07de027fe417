"""Candidates are compared on the same folds, and the better one comes first."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import mcnemar
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.automatic.choice import Tried, told_apart, try_candidates, write_candidates
from edgecnn_training.automatic.plan import Candidate, Plan
from edgecnn_training.devices.devices import prepare_devices
from edgecnn_training.evaluation.scores import evaluate
from edgecnn_training.fit import Progress
from edgecnn_training.folds import OutOfFold
from edgecnn_training.recipes import get_recipe
from edgecnn_training.stopwatch import Stopwatch


def candidate(recipe: str, *, folds: int = 2, rate: float = 0.01) -> Candidate:
    settings = get_recipe(recipe).settings.overridden(epochs=2, batch_size=8, folds=folds, learning_rate=rate)
    return Candidate(recipe=recipe, shape=(28, 28, 1), settings=settings, seconds=1.0)


@pytest.fixture(scope="module")
def two_digits(
    tmp_path_factory: pytest.TempPathFactory,
    write_set: Callable[..., ImageSet],
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> ImageSet:
    images, labels = digits
    chosen = np.flatnonzero(labels < 2)[::20]
    test, train = chosen[::5], np.delete(chosen, np.arange(0, len(chosen), 5))
    made = write_set(
        tmp_path_factory.mktemp("sets") / "two",
        {"train": (images[train], labels[train]), "test": (images[test], labels[test])},
        labels="01",
    )
    return dataclasses.replace(made, test_held_out=True)


def tried_on(image_set: ImageSet, plan: Plan, folder: RunFolder, steps: list[Progress]) -> list[Tried]:
    return try_candidates(
        plan,
        lambda candidate: image_set,
        folder,
        devices=prepare_devices(device=None, threads=None, deterministic=False),
        watch=Stopwatch(),
        report=lambda candidate: steps.append,
    )


def test_the_better_candidate_comes_first(two_digits: ImageSet, tmp_path: Path) -> None:
    # At such a rate nothing is learnt.
    plan = Plan(
        candidates=(candidate("small-cnn@0.5", rate=1e-9), candidate("small-cnn")), because=(), folds=2, compared_on=2
    )
    folder, steps = RunFolder(tmp_path / "run"), list[Progress]()
    best, other = tried_on(two_digits, plan, folder, steps)
    assert (best.candidate.recipe, other.candidate.recipe) == ("small-cnn", "small-cnn@0.5")
    assert best.evaluation.balanced_accuracy > other.evaluation.balanced_accuracy
    # Both gave an answer for every image, those for testing among them.
    every = sum(len(split) for split in two_digits.splits.values())
    assert len(best.out_of_fold.images) == len(other.out_of_fold.images) == every
    assert {(step.fold, step.folds) for step in steps} == {(1, 2), (2, 2)}
    write_candidates(folder, [best, other])
    assert [entry["recipe"] for entry in json.loads(folder.candidates.read_text())] == ["small-cnn", "small-cnn@0.5"]

    steps.clear()
    again, _ = tried_on(two_digits, plan, folder, steps)
    assert not steps  # a resumed run has them
    np.testing.assert_array_equal(again.out_of_fold.probabilities, best.out_of_fold.probabilities)


def test_where_validation_images_are_kept_one_fold_of_the_others_decides(two_digits: ImageSet, tmp_path: Path) -> None:
    plan = Plan(candidates=(candidate("small-cnn", folds=0),), because=(), folds=5, compared_on=1)
    steps: list[Progress] = []
    (only,) = tried_on(two_digits, plan, RunFolder(tmp_path / "run"), steps)
    training, _ = only.candidate.settings.division_of(two_digits).divide(two_digits)
    assert len(only.out_of_fold.images) == pytest.approx(len(training) / 5, abs=1)
    assert {(step.fold, step.folds) for step in steps} == {(1, 1)}


def judged(right: list[bool], image_set: ImageSet) -> Tried:
    labels = np.zeros(len(right), np.int64)
    probabilities = np.where(np.array(right)[:, np.newaxis], [[0.9, 0.1]], [[0.2, 0.8]]).astype(np.float32)
    split = Split(np.zeros((len(right), 1, 1, 1), np.uint8), labels, tuple(map(str, labels)))
    evaluation = evaluate(probabilities, labels, ("a", "b"))
    out_of_fold = OutOfFold(split, probabilities, (), np.arange(len(split)))
    return Tried(candidate("small-cnn"), image_set, out_of_fold, evaluation, 1)


@pytest.mark.parametrize(("wrong", "told"), [(1, False), (5, False), (6, True), (20, True)])
def test_few_images_cannot_tell_two_candidates_apart(wrong: int, told: bool, two_digits: ImageSet) -> None:
    best = judged([True] * 40, two_digits)
    other = judged([False] * wrong + [True] * (40 - wrong), two_digits)
    assert told_apart(best, other) is told
    assert told is (mcnemar(wrong, 0) < 0.05)
    assert best.merit > other.merit
