"""The top of a frozen base trained after the head: what learns, in which order, and that a stop changes nothing."""

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_base import AUGMENTED, FROZEN, MNIST

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.fit import Progress
from edgecnn_training.history import Epoch
from edgecnn_training.networks.frozen_base import base_of, unfreeze_top
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.recipe import Recipe
from edgecnn_training.settings import Optimizer, TrainingSettings
from edgecnn_training.train import train

# The base has three layers: a convolution, a batch norm, a ReLU.
TUNED = TrainingSettings(
    epochs=3,
    batch_size=32,
    optimizer=Optimizer.ADAM,
    learning_rate=0.003,
    seed=3,
    unfreeze=3,
    fine_tune_epochs=2,
    fine_tune_rate=0.001,
)


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the trainings here."""
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)


def rows(folder: RunFolder) -> list[dict[str, float]]:
    with folder.history.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def base_weights(network: Any) -> list[Any]:
    return list(base_of(keras, core(network)).weights)


@pytest.mark.parametrize(
    ("count", "learning"), [(0, []), (2, []), (3, ["kernel", "bias"])], ids=["none", "batch norm and ReLU", "all"]
)
def test_the_top_layers_learn_but_for_batch_norm(count: int, learning: list[str]) -> None:
    base = base_of(keras, core(build_network(keras, FROZEN, 10)))
    unfreeze_top(keras, base, count)
    assert [weight.name for weight in base.trainable_weights] == learning
    unfreeze_top(keras, base, 0)
    assert base.trainable_weights == []


Uninterrupted = tuple[Recipe, TrainingSettings, RunFolder]


def trained(recipe: Recipe, small_set: ImageSet, folder: RunFolder) -> Uninterrupted:
    settings = dataclasses.replace(TUNED, augment=recipe is AUGMENTED)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
        train(recipe, small_set, folder, settings)
    return recipe, settings, folder


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> Uninterrupted:
    return trained(FROZEN, small_set, RunFolder(tmp_path_factory.mktemp("runs") / "whole"))


@pytest.fixture(scope="module")
def augmented(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> Uninterrupted:
    return trained(AUGMENTED, small_set, RunFolder(tmp_path_factory.mktemp("runs") / "whole"))


@pytest.fixture(params=["features", "augmented"])
def uninterrupted(request: pytest.FixtureRequest) -> Uninterrupted:
    run: Uninterrupted = request.getfixturevalue(request.param)
    return run


def test_epochs_are_numbered_through(uninterrupted: Uninterrupted) -> None:
    _, _, folder = uninterrupted
    assert [(row["epoch"], row["stage"]) for row in rows(folder)] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert [row["learning_rate"] for row in rows(folder)] == pytest.approx([0.003] * 3 + [0.001] * 2)


def test_the_saved_network_has_a_tuned_base(uninterrupted: Uninterrupted) -> None:
    recipe, settings, folder = uninterrupted
    keras.utils.set_random_seed(settings.seed)
    before = base_weights(build_network(keras, recipe, 10))
    after = base_weights(keras.models.load_model(folder.model, safe_mode=True))
    assert json.loads(folder.metrics.read_text())["best_epoch"] > settings.epochs
    changed = [one.name for one, other in zip(before, after, strict=True) if not np.array_equal(one, other)]
    assert changed == ["kernel", "bias"]


def at(stage: int, epoch: int) -> Callable[[Progress], None]:
    """Stop the run in the first step of an epoch."""

    def stop(progress: Progress) -> None:
        if (progress.stage, progress.epoch) == (stage, epoch) and progress.finished is None:
            raise KeyboardInterrupt

    return stop


def after(*, stage: int, epoch: int) -> Callable[[Progress], None]:
    """Stop the run behind the checkpoint of an epoch, before anything else is written."""

    def stop(progress: Progress) -> None:
        if (progress.stage, progress.epoch) == (stage, epoch) and progress.finished is not None:
            raise KeyboardInterrupt

    return stop


STOPS = {
    "in the first stage": at(stage=1, epoch=2),
    "between checkpoint and best weights": after(stage=1, epoch=3),
    "between the stages": at(stage=2, epoch=4),
    "in the second stage": at(stage=2, epoch=5),
}


@pytest.mark.parametrize(
    ("uninterrupted", "stop"),
    [
        *(("features", stop) for stop in STOPS.values()),
        *(
            # Where random images and a change of the trained part meet; the others are as on features.
            pytest.param("augmented", stop, marks=() if name == "between the stages" else pytest.mark.slow)
            for name, stop in STOPS.items()
        ),
    ],
    ids=[f"{recipe}-{name}" for recipe in ("features", "augmented") for name in STOPS],
    indirect=["uninterrupted"],
)
def test_a_stopped_run_ends_as_an_uninterrupted_one(
    stop: Callable[[Progress], None],
    uninterrupted: Uninterrupted,
    tmp_path: Path,
    small_set: ImageSet,
) -> None:
    recipe, settings, whole = uninterrupted
    folder = RunFolder(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, small_set, folder, settings, report=stop)
    train(recipe, small_set, folder, settings, resume=True)
    for expected, got in zip(rows(whole), rows(folder), strict=True):
        assert {**got, "seconds": 0.0} == pytest.approx({**expected, "seconds": 0.0}, abs=1e-4)
    one, other = (keras.models.load_model(run.model, safe_mode=True).get_weights() for run in (whole, folder))
    for expected, got in zip(one, other, strict=True):
        # To the bit only in a deterministic process; see test_train_command.
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_the_second_stage_starts_from_the_best_weights_of_the_first(tmp_path: Path, small_set: ImageSet) -> None:
    # A first rate that soon overshoots, and a second that changes nothing.
    settings = dataclasses.replace(TUNED, optimizer=Optimizer.SGD, learning_rate=30.0, fine_tune_rate=1e-30, epochs=4)
    folder = RunFolder(tmp_path / "run")
    train(FROZEN, small_set, folder, settings)
    scores = [(row["val_accuracy"], -row["val_loss"]) for row in rows(folder)]
    best = max(scores[:4])
    assert scores[3] < best
    assert scores[4:] == [pytest.approx(best)] * 2


def test_a_first_stage_that_ends_early_is_followed_by_the_second(tmp_path: Path, small_set: ImageSet) -> None:
    # Rates that change no weight, so that the first epoch of each stage is its best.
    settings = dataclasses.replace(
        TUNED, optimizer=Optimizer.SGD, learning_rate=1e-30, fine_tune_rate=1e-30, patience=1, fine_tune_epochs=9
    )
    told: list[Progress] = []
    train(FROZEN, small_set, RunFolder(tmp_path / "run"), settings, report=told.append)
    finished = [progress for progress in told if progress.finished]
    assert [(progress.stage, progress.epoch, progress.epochs) for progress in finished] == [
        (1, 1, 12),
        (1, 2, 12),
        (2, 3, 11),
        (2, 4, 11),
    ]
    assert isinstance(finished[-1].finished, Epoch)


def test_features_are_reported_until_all_are_done(tmp_path: Path, small_set: ImageSet) -> None:
    told: list[tuple[int, int, str]] = []
    settings = dataclasses.replace(TUNED, unfreeze=0, epochs=1)
    train(FROZEN, small_set, RunFolder(tmp_path / "run"), settings, report_features=lambda *now: told.append(now))
    assert told == [(200, 200, "train")]


@pytest.mark.parametrize(
    ("recipe", "count", "message"),
    [
        (MNIST, 1, "unfreeze: expected a recipe on a pretrained base, got mnist; leave --unfreeze out"),
        (FROZEN, 4, "unfreeze: expected 0…3, as small has so many layers, got 4"),
    ],
)
def test_layers_that_are_not_there(
    recipe: Recipe, count: int, message: str, tmp_path: Path, small_set: ImageSet
) -> None:
    with pytest.raises(InputError, match=message):
        train(recipe, small_set, RunFolder(tmp_path / "run"), dataclasses.replace(TUNED, unfreeze=count))
    assert not (tmp_path / "run").exists()
