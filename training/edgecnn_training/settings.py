"""The values of a training run that a user can change."""

import dataclasses
import enum
import re
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from edgecnn_runtime.errors import InputError
from edgecnn_training.history import Monitor
from edgecnn_training.schedule import Schedule


class Optimizer(enum.StrEnum):
    """The optimizers on offer."""

    SGD = "sgd"
    ADAM = "adam"
    ADADELTA = "adadelta"


# The learning rate taken where an optimizer is asked for by name only: the defaults of Keras, but for Adadelta
# the 1.0 of its paper (M. D. Zeiler, arXiv:1212.5701), which Keras had until 2.3 and the notebooks relied on.
USUAL_LEARNING_RATES = {Optimizer.SGD: 0.01, Optimizer.ADAM: 0.001, Optimizer.ADADELTA: 1.0}


# Of the usual learning rate, where a pretrained base learns too: the Keras guide "Transfer learning & fine-tuning" and
# TensorFlow's tutorial of that name both use 1e-5 then, and the blog "Building powerful image classification models
# using very little data" 1e-4 with SGD.
_FINE_TUNING = 1 / 100

# Where the pretrained base of a network has its weights from, if not from a file.
IMAGENET, NO_WEIGHTS = "imagenet", "none"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train: a recipe holds its defaults, the command line overrides them."""

    epochs: int
    batch_size: int  # images a step
    optimizer: Optimizer
    learning_rate: float
    schedule: Schedule = Schedule.CONSTANT
    # By which the best epoch is chosen, whose weights are kept.
    monitor: Monitor = Monitor.ACCURACY
    # Epochs without a better one after which the run ends; 0: it never ends early.
    patience: int = 0
    # Whether the training images go through the recipe's augmentation.
    augment: bool = False
    # Of the network's base, where it has one: "imagenet", "none", or the path of a weights file.
    weights: str = NO_WEIGHTS
    # Layers at the top of the base that are trained too, after the head has been; 0: none.
    unfreeze: int = 0
    # How that is done; the same guide runs 10 epochs.
    fine_tune_epochs: int = 10
    fine_tune_rate: float = USUAL_LEARNING_RATES[Optimizer.ADAM] * _FINE_TUNING
    # The share of the training split that is kept for choosing the best epoch and never trained on.
    validation_fraction: float = 0.1
    seed: int = 0
    deterministic: bool = False
    # Whether layers compute in 16 bits while they are trained; the weights stay float32.
    mixed_precision: bool = False
    threads: int | None = None  # None: all processors this process may use
    device: str | None = None  # "cpu", "gpu", "gpu:0,1"; None: all GPUs that are there, else the CPU

    def __post_init__(self) -> None:
        for name, value in (
            ("epochs", self.epochs),
            ("batch size", self.batch_size),
            ("fine-tune epochs", self.fine_tune_epochs),
            ("threads", self.threads),
        ):
            if value is not None and value < 1:
                raise InputError(f"{name}: expected at least 1, got {value}")
        for name, value in (("patience", self.patience), ("unfreeze", self.unfreeze)):
            if value < 0:
                raise InputError(f"{name}: expected 0 or more, got {value}")
        for name, rate in (("learning rate", self.learning_rate), ("fine-tune rate", self.fine_tune_rate)):
            if not 0 < rate < float("inf"):
                raise InputError(f"{name}: expected a finite number above 0, got {rate}")
        if not 0 < self.validation_fraction < 1:
            raise InputError(
                f"validation fraction: expected between 0 and 1, got {self.validation_fraction}; "
                "without validation images there is no best epoch"
            )
        # Numpy's legacy generator, which Keras seeds too, takes 32 bits.
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed: expected 0…4294967295, got {self.seed}")
        if self.device is not None and not re.fullmatch(r"cpu|gpu(:\d+(,\d+)*)?", self.device):
            raise InputError(f"device: expected cpu, gpu, or numbers as in gpu:0 or gpu:0,1, got {self.device!r}")

    def overridden(
        self,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        schedule: str | None = None,
        monitor: str | None = None,
        patience: int | None = None,
        augment: bool | None = None,
        weights: str | None = None,
        unfreeze: int | None = None,
        fine_tune_epochs: int | None = None,
        fine_tune_rate: float | None = None,
        validation_fraction: float | None = None,
        seed: int | None = None,
        deterministic: bool | None = None,
        mixed_precision: bool | None = None,
        threads: int | None = None,
        device: str | None = None,
    ) -> Self:
        """Return these settings with those replaced that are not None.

        Another optimizer without learning rates gets its usual ones, not those of the optimizer it replaces.

        Raises:
            InputError: a value is out of range, or there is no such optimizer.

        >>> default = Settings(epochs=10, batch_size=128, optimizer=Optimizer.ADADELTA, learning_rate=1.0)
        >>> default.overridden(optimizer="adam").learning_rate
        0.001
        """
        chosen = self.optimizer if optimizer is None else _chosen(Optimizer, optimizer)
        if chosen is not self.optimizer:
            usual = USUAL_LEARNING_RATES[chosen]
            learning_rate = usual if learning_rate is None else learning_rate
            fine_tune_rate = usual * _FINE_TUNING if fine_tune_rate is None else fine_tune_rate
        given: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch_size,
            "optimizer": chosen,
            "learning_rate": learning_rate,
            "schedule": None if schedule is None else _chosen(Schedule, schedule),
            "monitor": None if monitor is None else _chosen(Monitor, monitor),
            "patience": patience,
            "augment": augment,
            "weights": weights,
            "unfreeze": unfreeze,
            "fine_tune_epochs": fine_tune_epochs,
            "fine_tune_rate": fine_tune_rate,
            "validation_fraction": validation_fraction,
            "seed": seed,
            "deterministic": deterministic,
            "mixed_precision": mixed_precision,
            "threads": threads,
            "device": device,
        }
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})


_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def _chosen(choices: type[_Choice], name: str) -> _Choice:
    try:
        return choices(name.lower())
    except ValueError:
        what = choices.__name__.lower()
        raise InputError(f"{what}: expected one of {', '.join(choices)}, got {name!r}") from None
