"""A few epochs on the training images, the best of them by the validation images."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from edgecnn_export.optimized.plan import LEARNING_RATES, Plan
from edgecnn_runtime.accuracy import Accuracy, top1_accuracy
from edgecnn_runtime.errors import GateError

# Images that go through the network at once where nothing is learnt.
_PREDICTED_AT_ONCE = 64
# A step reports its progress this often.
_REPORTS_PER_EPOCH = 20


@dataclass(frozen=True)
class TrainingArrays:
    """Some images of a memory-mapped split."""

    images: NDArray[np.uint8]  # (M, height, width, channels)
    labels: NDArray[np.int64]  # (M,)
    positions: NDArray[np.int64]  # (N,), which of them

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Read some of them, pixels as float32."""
        chosen = self.positions[start:stop]
        return self.images[chosen].astype(np.float32), self.labels[chosen]


@dataclass(frozen=True)
class FineTuningData:
    """What the steps learn from and are judged by."""

    training: TrainingArrays
    validation: TrainingArrays


def accuracy_of(model: Any, images: TrainingArrays) -> Accuracy:
    """Count how often a model is right."""
    rows = [
        model.predict_on_batch(images.read(start, start + _PREDICTED_AT_ONCE)[0])
        for start in range(0, len(images), _PREDICTED_AT_ONCE)
    ]
    return top1_accuracy(np.concatenate(rows), images.labels[images.positions])


def fine_tune(
    model: Any,
    material: FineTuningData,
    plan: Plan,
    *,
    step: str,
    callbacks: tuple[Any, ...] = (),
    first: int = 0,
) -> tuple[Accuracy, int]:
    """Train a tf_keras model and leave it with the weights of its best epoch.

    Args:
        model: probabilities out; wrapped by tfmot.
        material: what to learn from.
        plan: how long, how fast.
        step: its name, for the progress.
        callbacks: of tfmot.
        first: the first epoch that may be the best one; 0 is the model as it comes.

    Returns:
        The accuracy on the validation images, and the epoch.

    Raises:
        GateError: the loss is no number any more.
    """
    batches = _Batches(material.training, plan)
    best = _Best(model, material.validation, first)
    best.consider(0)
    rate = tf_keras.optimizers.schedules.CosineDecay(LEARNING_RATES[step], plan.epochs * len(batches))
    # The one that tf_keras had before: tfmot's wrappers hand it variables that the later one does not find.
    model.compile(tf_keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    progress = tf_keras.callbacks.LambdaCallback(
        on_batch_end=lambda batch, logs: _report(batch + 1, len(batches), best.epoch + 1, plan, step, logs),
        on_epoch_end=lambda epoch, _: best.consider(epoch + 1),
    )
    # tfmot's callbacks first: they zero what the last step of an epoch has moved.
    model.fit(batches, epochs=plan.epochs, shuffle=False, verbose=0, callbacks=[*callbacks, progress])
    return best.restore()


class _Best:
    """Keeps the weights of the best epoch so far; of equal ones the later, which has learnt more."""

    def __init__(self, model: Any, images: TrainingArrays, first: int) -> None:
        self._model, self._images, self._first = model, images, first
        self._kept: tuple[Accuracy, int, list[Any]] | None = None
        self.epoch = 0

    def consider(self, epoch: int) -> None:
        self.epoch = epoch
        if epoch < self._first:
            return
        accuracy = accuracy_of(self._model, self._images)
        if self._kept is None or accuracy.correct >= self._kept[0].correct:
            self._kept = accuracy, epoch, [variable.numpy() for variable in self._model.variables]

    def restore(self) -> tuple[Accuracy, int]:
        assert self._kept is not None  # the last epoch is never too early
        accuracy, epoch, values = self._kept
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value)
        return accuracy, epoch


class _Batches(tf_keras.utils.Sequence):  # type: ignore[misc]
    """Batches in an order that depends on the seed and the epoch alone."""

    def __init__(self, images: TrainingArrays, plan: Plan) -> None:
        self._images, self._plan = images, plan
        self._epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._images) // self._plan.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        start = index * self._plan.batch_size
        return self._shuffled.read(start, start + self._plan.batch_size)

    def on_epoch_end(self) -> None:
        self._epoch += 1
        order = np.random.default_rng((self._plan.seed, self._epoch)).permutation(self._images.positions)
        self._shuffled = TrainingArrays(self._images.images, self._images.labels, order)


def _report(batch: int, batches: int, epoch: int, plan: Plan, step: str, logs: dict[str, float]) -> None:
    """Tell the other process how far the step is: one JSON line on stdout."""
    if not np.isfinite(logs["loss"]):
        raise GateError(f"{step}: expected a finite loss, got {logs['loss']} in epoch {epoch}; nothing was exported")
    if batch == batches or batch % max(1, batches // _REPORTS_PER_EPOCH) == 0:
        progress = {"step": step, "epoch": epoch, "epochs": plan.epochs, "batch": batch, "batches": batches}
        print(json.dumps(progress), file=sys.__stdout__, flush=True)
