"""What is trained on what, and that what a part has learnt the whole network knows."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_base import AUGMENTED, FROZEN, MNIST, NORMALIZED

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training import fit
from edgecnn_training.augmentation import Augmentation
from edgecnn_training.features import FeatureCache
from edgecnn_training.history import Epoch, Monitor
from edgecnn_training.networks.network import build_network
from edgecnn_training.recipe import Recipe
from edgecnn_training.recipes import get_recipe
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import ClassWeights, Optimizer, TrainingSettings
from edgecnn_training.stage import stages_of
from edgecnn_training.stage_data import prepare_stage_data
from edgecnn_training.train import train

QUICK = TrainingSettings(epochs=2, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.003, seed=3)


# Everything of a training that has a state of its own, or that the best weights depend on.
ALL_OF_IT: dict[str, Any] = {
    "optimizer": Optimizer.ADAMW,
    "weight_decay": 0.01,
    "warmup_epochs": 1,
    "label_smoothing": 0.1,
    "averaged_weights": True,
    "precise_batch_norm": True,
    "class_weights": ClassWeights.BALANCED,
    "augment": True,
    "augmentation": Augmentation.of("shift=0.05,rand-augment=0.2,blur=0.5,noise=0.05,erasing=0.1,mixup=0.2,cutmix=1"),
}


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the trainings here."""
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)


@pytest.fixture(scope="module")
def with_valid(
    tmp_path_factory: pytest.TempPathFactory, write_set: Callable[..., ImageSet], small_set: ImageSet
) -> Any:
    splits = {name: (split.images, split.labels) for name, split in small_set.splits.items()}
    images, labels = splits["train"]
    splits["train"], splits["valid"] = (images[::2], labels[::2]), (images[1::2], labels[1::2])
    return write_set(tmp_path_factory.mktemp("sets") / "with valid", splits)


def stage_data(recipe: Recipe, image_set: ImageSet, settings: TrainingSettings = QUICK) -> tuple[Any, Any]:
    network = build_network(keras, recipe, 10)
    training, validation = settings.division_of(image_set).divide(image_set)
    stage = stages_of(settings)[0]
    return network, prepare_stage_data(network, recipe, settings, stage, training, validation, features=FeatureCache())


def images_of(batches: Any) -> np.ndarray:
    return np.concatenate([batches[index][0] for index in range(len(batches))])


def test_without_a_base_the_network_is_trained_on_the_images(small_set: ImageSet) -> None:
    network, made = stage_data(MNIST, small_set)
    assert made.model is network
    assert images_of(made.training).shape == (180, 28, 28, 1)
    assert images_of(made.validation).shape == (20, 28, 28, 1)


def test_a_split_for_validation_is_used(with_valid: ImageSet) -> None:
    _, made = stage_data(MNIST, with_valid)
    assert len(images_of(made.training)) == 100
    np.testing.assert_array_equal(images_of(made.validation), with_valid.split("valid").images)


@pytest.mark.parametrize(
    ("least", "epochs", "batch_size", "passes"), [(0, 2, 32, 1), (12, 2, 32, 1), (24, 2, 32, 2), (500, 2, 180, 250)]
)
def test_a_small_set_is_gone_through_several_times_an_epoch(
    least: int, epochs: int, batch_size: int, passes: int, small_set: ImageSet
) -> None:
    settings = dataclasses.replace(QUICK, epochs=epochs, batch_size=batch_size, least_steps=least)
    _, made = stage_data(MNIST, small_set, settings)
    assert epochs * len(made.training) >= least
    _, plain = stage_data(MNIST, small_set)
    images = images_of(made.training)
    assert images.shape == (180 * passes, 28, 28, 1)
    kinds, counts = np.unique(images, axis=0, return_counts=True)
    np.testing.assert_array_equal(kinds, np.unique(images_of(plain.training), axis=0))
    assert set(counts) == {passes}


def test_balanced_weights_are_those_of_scikit_learn(small_set: ImageSet) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    settings = dataclasses.replace(QUICK, class_weights=ClassWeights.BALANCED)
    _, made = stage_data(MNIST, small_set, settings)
    labels = made.training.read(0, len(made.training))[1]
    assert made.class_weights is not None
    np.testing.assert_allclose(
        [made.class_weights[number] for number in range(10)],
        compute_class_weight("balanced", classes=np.arange(10), y=labels),
    )
    assert stage_data(MNIST, small_set)[1].class_weights is None


@pytest.mark.parametrize("which", ["small_set", "with_valid"])
def test_the_head_on_features_is_the_network_on_images(which: str, request: pytest.FixtureRequest) -> None:
    image_set: ImageSet = request.getfixturevalue(which)
    network, made = stage_data(FROZEN, image_set)
    _, plain = stage_data(MNIST, image_set)
    assert len(made.model.trainable_weights) == 2
    for features, images in ((made.training, plain.training), (made.validation, plain.validation)):
        assert images_of(features).shape[1:] == (8,)
        np.testing.assert_allclose(
            np.asarray(made.model(images_of(features))), np.asarray(network(images_of(images))), atol=1e-6
        )


def test_augmentation_keeps_the_base_in_the_graph(small_set: ImageSet) -> None:
    network, made = stage_data(AUGMENTED, small_set, dataclasses.replace(QUICK, augment=True))
    assert images_of(made.training).shape == (180, 28, 28, 1)
    assert {id(weight) for weight in made.model.trainable_weights} == {
        id(weight) for weight in network.trainable_weights
    }


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        # In tests/training/test_fine_tuning.py too, with a second stage behind it.
        pytest.param(FROZEN, dataclasses.replace(QUICK, epochs=3), marks=pytest.mark.slow),
        pytest.param(
            AUGMENTED,
            dataclasses.replace(QUICK, epochs=3, augment=True, schedule=Schedule.COSINE),
            marks=pytest.mark.slow,
        ),
        (NORMALIZED, dataclasses.replace(QUICK, epochs=3, **ALL_OF_IT)),
    ],
    ids=["head", "augmented", "all of it"],
)
def test_a_stopped_run_ends_as_an_uninterrupted_one(
    recipe: Recipe, settings: TrainingSettings, tmp_path: Path, small_set: ImageSet
) -> None:
    """Random images, features, rates and the part of the network that is trained all survive a stop."""

    def stop(progress: fit.Progress) -> None:
        if progress.epoch == 2 and progress.finished is None:
            raise KeyboardInterrupt

    whole, stopped = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "stopped")
    train(recipe, small_set, whole, settings)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, small_set, stopped, settings, report=stop)
    record = train(recipe, small_set, stopped, settings, resume=True)
    assert record.recipe["augment"] is settings.augment
    model = keras.models.load_model(stopped.model, safe_mode=True)
    # The saved model is the whole network, without random layers.
    assert model.count_params() == build_network(keras, recipe, 10).count_params()
    expected = keras.models.load_model(whole.model, safe_mode=True)
    for one, other in zip(expected.get_weights(), model.get_weights(), strict=True):
        # To the bit only in a deterministic process; see test_train_command.
        np.testing.assert_allclose(other, one, atol=1e-4)


def test_what_is_validated_and_kept_are_the_averaged_weights(tmp_path: Path, small_set: ImageSet) -> None:
    """The last epoch's validation scores are those of the saved model, whose weights are averages."""
    finished: list[Epoch] = []

    def note(progress: fit.Progress) -> None:
        if progress.finished:
            finished.append(progress.finished)

    settings = dataclasses.replace(QUICK, **ALL_OF_IT | {"monitor": Monitor.LAST})
    folder = RunFolder(tmp_path / "run")
    train(NORMALIZED, small_set, folder, settings, report=note)
    model = keras.models.load_model(folder.model, safe_mode=True)
    _, made = stage_data(NORMALIZED, small_set, settings)
    images, labels = made.validation.read(0, len(made.validation))
    found = np.asarray(model(images), np.float64)[np.arange(len(labels)), labels]
    # Plain cross-entropy: neither smoothed, nor weighted by class.
    assert finished[-1].val_loss == pytest.approx(-np.log(found).mean(), rel=1e-3)
    assert finished[0].learning_rate == pytest.approx(settings.learning_rate / 2)


@pytest.mark.parametrize(("augment", "steps"), [(False, 12), (True, 36)])
def test_augmentation_brings_the_steps_that_it_needs(augment: bool, steps: int, small_set: ImageSet) -> None:
    settings = dataclasses.replace(QUICK, least_steps=12, augment=augment)
    _, made = stage_data(AUGMENTED, small_set, settings)
    assert steps <= settings.epochs * len(made.training) < steps + 12
    # Who names the epochs gets these.
    _, named = stage_data(AUGMENTED, small_set, settings.overridden(epochs=2))
    assert len(named.training) == 6


def test_a_run_ends_when_nothing_gets_better(tmp_path: Path, small_set: ImageSet) -> None:
    # A rate that changes no weight, so that the first epoch is the best.
    settings = dataclasses.replace(QUICK, epochs=9, optimizer=Optimizer.SGD, learning_rate=1e-30, patience=2)
    folder = RunFolder(tmp_path / "run")
    train(FROZEN, small_set, folder, settings)
    assert len(folder.history.read_text().splitlines()) == 1 + 3
    assert json.loads(folder.metrics.read_text())["best_epoch"] == 1


def test_the_rate_follows_the_schedule(tmp_path: Path, small_set: ImageSet) -> None:
    epochs: list[Epoch] = []
    settings = dataclasses.replace(QUICK, learning_rate=0.001, schedule=Schedule.EXPONENTIAL)
    train(
        FROZEN,
        small_set,
        RunFolder(tmp_path / "run"),
        settings,
        report=lambda progress: epochs.append(progress.finished) if progress.finished else None,
    )
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([0.001 * 0.99**2, 0.001 * 0.99**3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            dataclasses.replace(QUICK, warmup_epochs=2),
            "warmup epochs: expected fewer than the 2 epochs of stage 1, got 2; give fewer, or more --epochs",
        ),
        (
            dataclasses.replace(QUICK, batch_size=1, augment=True, augmentation=Augmentation(mixup=0.2)),
            "augmentation: expected batches of at least 2 images per device, as mixup and cutmix take two, got 1",
        ),
        (dataclasses.replace(QUICK, weights="imagenet"), "weights: expected a recipe on a pretrained base, got mnist"),
    ],
)
def test_settings_that_a_recipe_can_make_nothing_of(
    settings: TrainingSettings, message: str, tmp_path: Path, small_set: ImageSet
) -> None:
    with pytest.raises(InputError, match=message):
        train(MNIST, small_set, RunFolder(tmp_path / "run"), settings)
    assert not (tmp_path / "run").exists()


def test_a_pretrained_base_wants_rgb(tmp_path: Path, small_set: ImageSet) -> None:
    with pytest.raises(InputError, match="expected RGB images, as MobileNetV2 takes them, got grey ones"):
        train(get_recipe("transfer"), small_set, RunFolder(tmp_path / "run"), QUICK)


def test_missing_weights_leave_the_earlier_run(tmp_path: Path, small_set: ImageSet) -> None:
    folder = RunFolder(tmp_path / "run")
    train(FROZEN, small_set, folder, QUICK)
    with pytest.raises(InputError, match=r"no/such\.h5: not found"):
        train(FROZEN, small_set, folder, dataclasses.replace(QUICK, weights="no/such.h5"), overwrite=True)
    assert folder.record.exists()
    # And a finished run needs none any more.
    assert train(FROZEN, small_set, folder, QUICK, resume=True) == folder.read_record()
