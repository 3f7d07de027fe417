"""The training of one recipe's network on some images: of a run, of each of its folds, of a candidate for a run."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.batches import Batches
from edgecnn_training.devices.devices import Devices, inference
from edgecnn_training.devices.many_workers import tf_keras_model_of
from edgecnn_training.features import FeatureCache
from edgecnn_training.fit import Progress, ReportProgress, fit
from edgecnn_training.folds import OutOfFold, cross_fit
from edgecnn_training.history import Epoch
from edgecnn_training.networks.frozen_base import base_of
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.networks.pretrained import load_base_weights
from edgecnn_training.recipe import Recipe
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.stage import Stage
from edgecnn_training.stage_data import StageData, predict_batch, prepare_stage_data
from edgecnn_training.stopwatch import Stopwatch
from edgecnn_training.teacher import Teacher


@dataclass(frozen=True)
class NetworkTraining:
    """How a network is trained, whatever images of the set it is trained on."""

    recipe: Recipe
    image_set: ImageSet
    origin: RunOrigin
    devices: Devices
    watch: Stopwatch
    features: FeatureCache = field(default_factory=FeatureCache)
    teacher: Teacher | None = None

    def network(self) -> Any:
        """Build the network with the weights that its training starts from, the same at each call.

        Raises:
            InputError: its pretrained weights cannot be had, or it has fewer layers than shall be unfrozen.
        """
        settings = self.origin.settings
        keras.utils.set_random_seed(settings.seed)
        with self.devices.building(keras, mixed=settings.mixed_precision):
            network = build_network(keras, self.recipe, len(self.image_set.labels), shape=self.image_set.input.shape)
            if self.recipe.base is not None:
                _check_unfreeze(network, settings.unfreeze)
                load_base_weights(network, self.recipe, settings.weights)
        return network

    def fit(
        self,
        network: Any,
        training: Portion,
        validation: Portion | None,
        *,
        folder: RunFolder,
        checkpoint: Checkpoint | None,
        report: ReportProgress,
        scores: Sequence[Epoch] = (),
    ) -> tuple[Epoch, ...]:
        """Train a network of `network`; see `fit.fit`, which does it.

        Args:
            network: with the weights to start from.
            training: the images to train on.
            validation: those to validate on; None for none.
            folder: where the training goes.
            checkpoint: where it goes on.
            report: called after each step and each epoch.
            scores: of each epoch on other images, where there are none to validate on.
        """
        return fit(
            network,
            self._preparing(network, training, validation),
            origin=self.origin,
            devices=self.devices,
            folder=folder,
            checkpoint=checkpoint,
            report=report,
            scores=scores,
        )

    def out_of_fold(
        self,
        everything: Portion,
        *,
        folder: RunFolder,
        report: ReportProgress,
        folds: int | None = None,
        only: int | None = None,
    ) -> OutOfFold:
        """Train the networks of all folds, and return what each gives for the images that it was not trained on.

        Args:
            everything: the images.
            folder: of the run; a stopped one goes on with the folds that are not finished.
            report: called after each step and each epoch.
            folds: how many; None: as the settings say.
            only: train the first so many of them, and score their images alone; None: all.

        Raises:
            DataError: no class has two different images.
        """
        settings = self.origin.settings
        folds = folds or settings.folds or 0

        def fit_fold(training: Portion, held: Portion, place: RunFolder, number: int) -> NDArray[np.float32]:
            network = self.network()

            def report_fold(progress: Progress) -> None:
                report(dataclasses.replace(progress, fold=number, folds=only or folds))

            self.fit(network, training, held, folder=place, checkpoint=Checkpoint.read(place), report=report_fold)
            network.load_weights(place.best_weights)
            return answers(network, held)

        with self.watch.timing("folds"):
            return cross_fit(everything, folds, seed=settings.seed, folder=folder, fit_fold=fit_fold, only=only)

    def _preparing(self, network: Any, training: Portion, validation: Portion | None) -> Callable[[Stage], StageData]:
        recipe, settings, devices = self.recipe, self.origin.settings, self.devices

        def prepare(stage: Stage) -> StageData:
            with self.watch.timing("preparation"), devices.building(keras, mixed=settings.mixed_precision):
                stage_data = prepare_stage_data(
                    network,
                    recipe,
                    settings,
                    stage,
                    training,
                    validation,
                    features=self.features,
                    shares=devices.shares,
                    teacher=self.teacher,
                )
            if devices.cluster.workers == 1:
                return stage_data
            with devices.building(devices.keras, mixed=settings.mixed_precision):
                return tf_keras_model_of(stage_data, network, recipe, stage, keras=devices.keras)

        return prepare


def answers(model: Any, images: Portion) -> NDArray[np.float32]:
    """Return the probabilities that a model gives for some images, `(N, classes)`."""
    batches = Batches(images.split, images.positions, batch_size=predict_batch(model.input_shape[1:]))
    forward = inference(model)
    return np.concatenate([forward(batches[index][0]) for index in range(len(batches))])


def _check_unfreeze(network: Any, count: int) -> None:
    base = base_of(keras, core(network))
    if count > len(base.layers):
        raise InputError(f"unfreeze: expected 0…{len(base.layers)}, as {base.name} has so many layers, got {count}")
