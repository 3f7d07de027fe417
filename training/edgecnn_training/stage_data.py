"""What a stage trains, and on what: the whole network on images, or its head on the features of a frozen base."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.workstation.division import Portion
from edgecnn_training.augmentation import Augmentation
from edgecnn_training.batches import Batches, Labelled
from edgecnn_training.distillation import targets
from edgecnn_training.features import FeatureCache
from edgecnn_training.networks.augmentation_layers import augmented
from edgecnn_training.networks.frozen_base import base_of, split_at_base, unfreeze_top
from edgecnn_training.networks.network import core
from edgecnn_training.networks.soft_labels import SoftLabelModel
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.settings import ClassWeights, TrainingSettings
from edgecnn_training.stage import Stage
from edgecnn_training.teacher import Teacher

# Pixel values at once where nothing is learnt, 16 MB as float32; the results do not depend on it.
_PREDICTED_VALUES = 2**22
# Of a feature map, each image gives many values to the statistics of batch norm.
_SAMPLE = 1024


@dataclass(frozen=True)
class StageData:
    """A model that shares its layers with the network, and the batches that it is trained and validated on."""

    model: Any
    training: Batches
    validation: Batches | None  # None where all images are trained on
    # Training images, some thousand at most, for the statistics of batch norm, and what they go through: `model`
    # without the augmentation.
    sample: Batches
    unaugmented: Any
    class_weights: dict[int, float] | None  # by class number; None where all count the same
    # Where `model` is a copy built in tf_keras (`many_workers.py`): the one that shares its layers with the network.
    shared: Any = None

    def hand_over(self) -> None:
        """Give the network what a copy in tf_keras has learnt."""
        if self.shared is not None:
            self.shared.set_weights(self.model.get_weights())


@dataclass(frozen=True)
class _Taught:
    """Images or features with what is learnt of them."""

    images: NDArray[Any]
    labels: NDArray[np.float32]  # `targets`


def prepare_stage_data(
    network: Any,
    recipe: Recipe,
    settings: TrainingSettings,
    stage: Stage,
    training: Portion,
    validation: Portion | None,
    *,
    features: FeatureCache,
    shares: int = 1,
    teacher: Teacher | None = None,
) -> StageData:
    """Decide what is trained.

    A base that is frozen as a whole and whose images never change runs once, here. Else the images go through the
    network in each epoch, behind the augmentation where that is asked for.

    Args:
        network: of `build_network`, with its base's weights; the layers that the stage unfreezes are unfrozen.
        recipe: of the network.
        settings: of the run.
        stage: of the run.
        training: the images that are trained on.
        validation: those that are validated on; None for none.
        features: of a frozen base, those that are known by now.
        shares: into how many parts a batch is divided; those to validate on divide evenly, but for the last.
        teacher: of the settings; None without one.
    """
    batch_size = predict_batch(network.input_shape[1:])
    images: dict[str, Labelled] = {"train": training.split}
    if validation is not None:
        images["valid"] = validation.split
    model = network
    if stage.unfreeze:
        unfreeze_top(keras, base_of(keras, core(network)), stage.unfreeze)
    changes = recipe.changes(settings)
    if changes is None and recipe.base is not None and not stage.unfreeze:
        extractor, model = split_at_base(keras, network)
        images = {**features.of(extractor, images, batch_size=batch_size)}
    taught, learner = images["train"], model
    if teacher is not None and changes is not None:
        learner = teacher.beside(network)
    elif teacher is not None:
        # Its answers never change, as the images do not.
        answers = teacher.answers(training, batch_size=predict_batch(teacher.opened.input.shape))
        taught = _Taught(taught.images, targets(training.split.labels, answers))
    # As few passes an epoch as reach the steps.
    full_batches = max(0, -(-settings.steps_due // stage.epochs) - 1)
    passes = full_batches * settings.batch_size // len(training) + 1
    return StageData(
        model=_learner(learner, changes, settings),
        training=Batches(
            taught,
            np.tile(training.positions, passes),
            batch_size=settings.batch_size,
            shuffle_seed=settings.seed,
        ),
        validation=None
        if validation is None
        else Batches(images["valid"], validation.positions, batch_size=batch_size + -batch_size % shares),
        sample=Batches(
            images["train"],
            training.sample(min(_SAMPLE, len(training)), seed=settings.seed).positions,
            batch_size=batch_size,
            shuffle_seed=settings.seed,
        ),
        unaugmented=model,
        class_weights=_class_weights(training.labels) if settings.class_weights is ClassWeights.BALANCED else None,
    )


def _learner(model: Any, changes: Augmentation | None, settings: TrainingSettings) -> Any:
    """Return what is fitted: a model behind the changes of the images, and with labels as they are asked for."""
    if settings.label_smoothing or (changes is not None and changes.mixes_images):
        return SoftLabelModel(model, changes, smoothing=settings.label_smoothing, seed=settings.seed)
    return model if changes is None else augmented(model, changes, seed=settings.seed)


def _class_weights(labels: NDArray[np.int64]) -> dict[int, float]:
    """Return the weight of an image by its class number, 1 on average (`compute_class_weight` of scikit-learn)."""
    counts = np.bincount(labels)
    return {number: len(labels) / (len(counts) * max(1, int(count))) for number, count in enumerate(counts)}


def predict_batch(shape: Shape) -> int:
    """Return how many images go through a network at once where nothing is learnt.

    >>> predict_batch((28, 28, 1)), predict_batch((300, 300, 3))
    (256, 15)
    """
    return max(8, min(256, _PREDICTED_VALUES // int(np.prod(shape))))
