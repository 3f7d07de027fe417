"""The values of a training run that a user can change.

A setting is described here and nowhere else: options of `edgecnn train`, keys of a TOML file and entries of `run.json`
follow from the fields of `TrainingSettings`.
"""

import dataclasses
import enum
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self, get_type_hints

from edgecnn_runtime.choices import choose
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation import VALIDATION_FRACTION
from edgecnn_training.augmentation import CHANGES, Augmentation
from edgecnn_training.history import Monitor
from edgecnn_training.schedule import Schedule

if TYPE_CHECKING:
    from edgecnn_runtime.workstation.division import Division
    from edgecnn_runtime.workstation.image_set import ImageSet


class ClassWeights(enum.StrEnum):
    """How much an image counts in the loss."""

    NONE = "none"  # all the same, so that frequent classes count for more
    BALANCED = "balanced"  # in inverse proportion to the images of its class: N / (classes * images of the class)


class Optimizer(enum.StrEnum):
    """The optimizers on offer."""

    SGD = "sgd"
    ADAM = "adam"
    ADAMW = "adamw"
    RMSPROP = "rmsprop"
    ADADELTA = "adadelta"


# The learning rate taken where an optimizer is asked for by name only: the defaults of Keras, but for Adadelta
# the 1.0 of its paper (M. D. Zeiler, arXiv:1212.5701), which Keras had until 2.3 and the notebooks relied on.
USUAL_LEARNING_RATES = {
    Optimizer.SGD: 0.01,
    Optimizer.ADAM: 0.001,
    Optimizer.ADAMW: 0.001,
    Optimizer.RMSPROP: 0.001,
    Optimizer.ADADELTA: 1.0,
}
# Likewise, the weight decay; Keras's own of AdamW, and none of the others, which all can have one.
USUAL_WEIGHT_DECAYS = {Optimizer.ADAMW: 0.004}


# Of the usual learning rate, where a pretrained base learns too: the Keras guide "Transfer learning & fine-tuning" and
# TensorFlow's tutorial of that name both use 1e-5 then, and the blog "Building powerful image classification models
# using very little data" 1e-4 with SGD.
_FINE_TUNING = 1 / 100

# Where the pretrained base of a network has its weights from, if not from a file.
IMAGENET, NO_WEIGHTS = "imagenet", "none"


@dataclass(frozen=True)
class Range:
    """The values that a setting may have."""

    words: str  # behind "expected"
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Setting:
    """What there is to say about a setting beside its name, type and default."""

    help: str
    range: Range | None = None
    metavar: str | None = None  # where the help shows another word than the type
    flag: str | None = None  # of a setting that is on or off, where it is not "--name/--no-name"


def _at_least(least: int) -> Range:
    return Range(f"at least {least}", lambda value: value >= least)


_RATE = Range("a finite number above 0", lambda value: 0 < value < math.inf)
_TEACHER_SHARE = Range("a share above 0, at most 1", lambda share: 0 < share <= 1)
_SHARE = Range("a share between 0 and 1, as validation images choose the best epoch", lambda share: 0 < share < 1)
_DECAY = Range("a number from 0 up to, but not including, 1", lambda decay: 0 <= decay < 1)
# Times as many steps as least, where the images are changed.
_STEPS_OF_AUGMENTED = 3
# Numpy's legacy generator, which Keras seeds too, takes 32 bits.
_SEED = Range(f"0…{2**32 - 1}", lambda seed: 0 <= seed < 2**32)
_DEVICE = Range(
    "cpu, gpu, or numbers as in gpu:0 or gpu:0,1", lambda device: bool(re.fullmatch(r"cpu|gpu(:\d+(,\d+)*)?", device))
)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train: a recipe holds its defaults, the command line overrides them."""

    epochs: Annotated[int, Setting("Passes over the training images.", _at_least(1))]
    batch_size: Annotated[int, Setting("Images per step.", _at_least(1))]
    optimizer: Annotated[Optimizer, Setting("Method that changes the weights.")]
    learning_rate: Annotated[
        float,
        Setting("Learning rate at first; default: the recipe's, or the usual one of another --optimizer.", _RATE),
    ]
    schedule: Annotated[Schedule, Setting("Course of the learning rate over the epochs.")] = Schedule.CONSTANT
    warmup_epochs: Annotated[
        int, Setting("Epochs at first in which the learning rate rises; the schedule takes the others.", _at_least(0))
    ] = 0
    weight_decay: Annotated[
        float,
        Setting(
            "Share of each weight, times the learning rate, that a step takes off, with any optimizer; not of biases "
            "and batch norm. Default: 0, or 0.004 with --optimizer adamw.",
            _DECAY,
        ),
    ] = 0.0
    label_smoothing: Annotated[
        float,
        Setting("Share of each label that is spread over all classes while training; not in validation.", _DECAY),
    ] = 0.0
    averaged_weights: Annotated[
        bool,
        Setting(
            "Validate and keep the moving average of the weights over the last hundred steps or so, not those of the "
            "last step.",
            flag="--averaged-weights/--last-weights",
        ),
    ] = False
    monitor: Annotated[
        Monitor, Setting("Epoch that is kept: that of the best score on the validation images, or the last.")
    ] = Monitor.ACCURACY
    patience: Annotated[
        int, Setting("Epochs without a better one after which the training stops; 0: never.", _at_least(0))
    ] = 0
    least_steps: Annotated[
        int, Setting("Steps at least; a small set is gone through several times an epoch for them.", _at_least(0), "N")
    ] = 0
    class_weights: Annotated[
        ClassWeights, Setting("Whether the images of rare classes count for more, so that all classes count the same.")
    ] = ClassWeights.NONE
    precise_batch_norm: Annotated[
        bool,
        Setting(
            "Before each validation, take the statistics of batch norm from the training images, not from the last "
            "steps.",
            flag="--precise-batch-norm/--moving-batch-norm",
        ),
    ] = False
    temperature_scaling: Annotated[
        bool,
        Setting(
            "Make the probabilities as certain as images that were kept back bear out; no answer changes.",
            flag="--temperature-scaling/--no-temperature-scaling",
        ),
    ] = False
    augment: Annotated[bool, Setting("Train on randomly changed images, and for more steps where few are due.")] = False
    augmentation: Annotated[
        Augmentation | None,
        Setting(
            "Changes of the images and how far they go at most, in place of the recipe's with --augment; "
            f"of {', '.join(CHANGES)}.",
            metavar="flip-horizontal,rotation=0.1,…",
        ),
    ] = None
    weights: Annotated[str, Setting("Weights of a pretrained base: imagenet, none, or a file of Keras weights.")] = (
        NO_WEIGHTS
    )
    unfreeze: Annotated[
        int,
        Setting("Layers at the top of the base to train too, after the head; not batch norm.", _at_least(0), "N"),
    ] = 0
    teacher: Annotated[
        str | None,
        Setting("Trained run, or a file exported from one, whose answers are learnt beside the labels.", metavar="RUN"),
    ] = None
    temperature: Annotated[float, Setting("Temperature that softens the answers with --teacher.", _RATE)] = 4.0
    teacher_weight: Annotated[
        float, Setting("Share of --teacher in the loss; the labels have the rest.", _TEACHER_SHARE)
    ] = 0.5
    # As in the Keras guide above.
    fine_tune_epochs: Annotated[int, Setting("Epochs with --unfreeze; default: 10.", _at_least(1))] = 10
    fine_tune_rate: Annotated[
        float,
        Setting("Learning rate with --unfreeze; default: a hundredth of the optimizer's usual one.", _RATE),
    ] = USUAL_LEARNING_RATES[Optimizer.ADAM] * _FINE_TUNING
    validation_fraction: Annotated[
        float,
        Setting("Share of the training images that chooses the best epoch, where the set has no split for it.", _SHARE),
    ] = VALIDATION_FRACTION
    folds: Annotated[
        int | None,
        Setting(
            "Train K times more, each time without another K-th of the images, which are scored; the model is then "
            "trained on all images. 0: never; default: 5 where a recipe for your own images gets fewer than 200.",
            Range("0, or at least 2", lambda folds: folds == 0 or folds >= 2),
            "K",
        ),
    ] = 0
    seed: Annotated[int, Setting("Seed of the weights, order and validation images.", _SEED)] = 0
    deterministic: Annotated[
        bool,
        Setting("Repeat the weights exactly for equal seed, machine and threads; slower.", flag="--deterministic"),
    ] = False
    mixed_precision: Annotated[
        bool,
        Setting("Compute in 16 bits while training; weights keep 32.", flag="--mixed-precision/--full-precision"),
    ] = False
    threads: Annotated[int | None, Setting("CPU threads; default: all that this process may use.", _at_least(1))] = None
    device: Annotated[
        str | None, Setting("Device: cpu, gpu, or some as in gpu:0,1; default: all GPUs, else the CPU.", _DEVICE)
    ] = None

    def __post_init__(self) -> None:
        for name, setting in settings_described().items():
            value = getattr(self, name)
            if value is not None and setting.range is not None and not setting.range.holds(value):
                shown = repr(value) if isinstance(value, str) else value
                raise InputError(f"{name.replace('_', ' ')}: expected {setting.range.words}, got {shown}")

    def overridden(self, **given: Any) -> Self:
        """Return these settings with those replaced that are given and not None.

        Another optimizer without learning rates and weight decay gets its usual ones, not those of the optimizer it
        replaces. Who names the epochs gets just these: the least steps of a recipe no longer count. Who names changes
        of the images gets these, and augmentation with them.

        Args:
            given: values by the names of the fields; a choice may be its name, in upper or lower case, and an
                augmentation what `Augmentation.of` takes.

        Raises:
            InputError: a value is out of range, there is no such choice, or changes of the images are named and
                augmentation is switched off.

        >>> default = TrainingSettings(epochs=10, batch_size=128, optimizer=Optimizer.ADADELTA, learning_rate=1.0)
        >>> default.overridden(optimizer="adam").learning_rate
        0.001
        """
        given = {name: _chosen(name, value) for name, value in given.items() if value is not None}
        if "epochs" in given:
            given = {"least_steps": 0} | given
        chosen = given.get("optimizer", self.optimizer)
        if chosen is not self.optimizer:
            rate, decay = USUAL_LEARNING_RATES[chosen], USUAL_WEIGHT_DECAYS.get(chosen, 0.0)
            usual: dict[str, Any] = {
                "learning_rate": rate,
                "fine_tune_rate": rate * _FINE_TUNING,
                "weight_decay": decay,
            }
            given = usual | given
        if "augmentation" in given:
            if given.get("augment") is False:
                raise InputError("augmentation: expected --augment with it, got --no-augment; leave one of them out")
            given["augment"] = True
        elif given.get("augment") is False:
            given["augmentation"] = None
        return dataclasses.replace(self, **given)

    @property
    def steps_due(self) -> int:
        """Steps at least; more with augmentation: a network that meets no image twice learns more slowly."""
        return self.least_steps * (_STEPS_OF_AUGMENTED if self.augment else 1)

    def division_of(self, image_set: "ImageSet") -> "Division":
        """Decide which images of a set are trained on and which choose the best epoch."""
        from edgecnn_runtime.workstation.division import Division

        if self.folds:
            return Division.keeping_none(image_set)
        return Division.of(image_set, fraction=self.validation_fraction, seed=self.seed)


# What a recipe for the user's own images sets, which may be few and of uneven classes: steps enough to learn from a
# handful, no epoch chosen by a few validation images, and classes that count the same.
FOR_ANY_FOLDER: Mapping[str, Any] = {
    "monitor": Monitor.LAST,
    "least_steps": 500,
    "class_weights": ClassWeights.BALANCED,
    "precise_batch_norm": True,
    "temperature_scaling": True,
    "folds": None,
}

_HINTS = get_type_hints(TrainingSettings, include_extras=True)


def settings_described() -> dict[str, Setting]:
    """Return what there is to say about each setting, by the names of the fields."""
    return {name: hint.__metadata__[0] for name, hint in _HINTS.items()}


def setting_type(name: str) -> type:
    """Return the type of a setting's values, where they are not None.

    >>> setting_type("threads")
    <class 'int'>
    """
    hint = _HINTS[name].__origin__
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType] or [hint]
    return typing.cast(type, kinds[0])


def _chosen(name: str, value: Any) -> Any:
    """Return the member of an enum that is named, the augmentation that is described, and other values as they are."""
    kind = setting_type(name)
    if kind is Augmentation:
        return Augmentation.of(value)
    if not issubclass(kind, enum.StrEnum):
        return value
    return choose(kind, name, str(value))
