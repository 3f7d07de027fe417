"""What a stage trains, and on what: the whole network on images, or its head on the features of a frozen base."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.stratify import stratified_sample
from edgecnn_training.batches import Batches, Labelled
from edgecnn_training.data.readers.split_names import TRAIN, VALID
from edgecnn_training.features import FeatureReport, compute_features
from edgecnn_training.networks.augmentation_layers import augmented
from edgecnn_training.networks.frozen_base import base_of, split_at_base, unfreeze_top
from edgecnn_training.networks.network import core
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.stage import Stage

# Pixel values at once where nothing is learnt, 16 MB as float32; the results do not depend on it.
_PREDICTED_VALUES = 2**22


@dataclass(frozen=True)
class StageData:
    """A model that shares its layers with the network, and the batches that it is trained and validated on."""

    model: Any
    training: Batches
    validation: Batches
    # Where `model` is a twin built in tf_keras (`many_workers.py`): the one that shares its layers with the network.
    shared: Any = None

    def hand_over(self) -> None:
        """Make known to the network what a twin has learnt."""
        if self.shared is not None:
            self.shared.set_weights(self.model.get_weights())


def prepare_stage_data(
    network: Any,
    recipe: Recipe,
    settings: TrainingSettings,
    image_set: ImageSet,
    stage: Stage,
    report: FeatureReport | None = None,
    *,
    shares: int = 1,
) -> StageData:
    """Decide what is trained.

    A base that is frozen as a whole and whose images never change runs once, here. Else the images go through the
    network in each epoch, behind the augmentation where that is asked for.

    Args:
        network: of `build_network`, with its base's weights; the layers that the stage unfreezes are unfrozen.
        recipe: of the network.
        settings: of the run.
        image_set: the set, with the split `train`; `valid` is validated on where there is one.
        stage: of the run.
        report: called while images go through the base.
        shares: into how many parts a batch is divided; those to validate on divide evenly, but for the last.

    Raises:
        DataError: too few images to validate on.
    """
    batch_size = predict_batch(image_set.input.shape)
    splits: dict[str, Labelled] = {name: image_set.split(name) for name in (TRAIN, VALID) if name in image_set.splits}
    if VALID in splits:
        trained_on, validated_on = (np.arange(len(splits[name].labels)) for name in (TRAIN, VALID))
    else:
        trained_on, validated_on = split_positions(splits[TRAIN].labels, settings)
    model = network
    if stage.unfreeze:
        unfreeze_top(keras, base_of(keras, core(network)), stage.unfreeze)
    if settings.augment:
        model = augmented(network, recipe.augmentation, seed=settings.seed)
    elif recipe.base is not None and not stage.unfreeze:
        extractor, model = split_at_base(keras, network)
        splits = {**compute_features(extractor, splits, batch_size=batch_size, report=report)}
    return StageData(
        model,
        Batches(splits[TRAIN], trained_on, batch_size=settings.batch_size, shuffle_seed=settings.seed),
        Batches(splits.get(VALID, splits[TRAIN]), validated_on, batch_size=batch_size + -batch_size % shares),
    )


def predict_batch(shape: Shape) -> int:
    """Return how many images go through a network at once where nothing is learnt.

    >>> predict_batch((28, 28, 1)), predict_batch((300, 300, 3))
    (256, 15)
    """
    return max(8, min(256, _PREDICTED_VALUES // int(np.prod(shape))))


def split_positions(
    numbers: NDArray[np.int64], settings: TrainingSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the training split into images to train on and images to validate on, the latter stratified.

    Args:
        numbers: `(N,)`, the class numbers of the training split.
        settings: the share to validate on, and the seed.

    Returns:
        Positions in `numbers` to train on, and to validate on; int64, ascending.

    Raises:
        DataError: too few images for both.
    """
    count = round(len(numbers) * settings.validation_fraction)
    if not 0 < count < len(numbers):
        raise DataError(
            f"train: expected enough images to keep {settings.validation_fraction:.0%} for validation, "
            f"got {len(numbers)}"
        )
    validated_on = stratified_sample(numbers, count, seed=settings.seed)
    return np.setdiff1d(np.arange(len(numbers)), validated_on, assume_unique=True), validated_on
