"""A recipe: a documented classifier, with the data, the input and the settings that belong to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgecnn_training.augmentation import ANYTHING, Augmentation
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import TrainingSettings

Shape: TypeAlias = tuple[int, int, int]  # (height, width, channels)

# `build(keras, shape, classes)` returns the network behind the scaling. It gives probabilities `(N, classes)`, or
# `(N, 1)`, the probability of the second class of two. It gets the Keras module as an argument because the
# model-optimization toolkit works on `tf_keras`: the same function rebuilds it there. Its last layer has
# the dtype float32, for the sake of mixed precision (`precision.py`).
Build: TypeAlias = Callable[[Any, Shape, int], Any]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A documented classifier."""

    name: str
    summary: str
    # The known data set it is trained on unless another is given; None where it is made for the user's own.
    data: str | None
    # Those of `data`, at which the network is documented and counted; any others may be trained.
    classes: int = 10
    input_shape: Shape
    settings: TrainingSettings
    build: Build
    # `build_at(alpha)` gives the `build` of the same network with about `alpha` times as many channels; None where
    # the network has one width.
    build_at: Callable[[float], Build] | None = None
    alpha: float = 1.0
    scaling: Scaling = Scaling.UNIT
    # Whether the network takes images of any size, and `input_shape` is only the default.
    any_size: bool = False
    # What happens to the training images where `settings.augment` is set and no other changes are asked for.
    augmentation: Augmentation = ANYTHING
    # The frozen network of `keras.applications` that it is built on; the rest of the network is its head.
    base: str | None = None

    def changes(self, settings: TrainingSettings) -> Augmentation | None:
        """Return what happens to the training images; None where nothing does."""
        return (settings.augmentation or self.augmentation) if settings.augment else None
