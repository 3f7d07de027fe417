"""The epochs: train, validate, keep a checkpoint and the best weights."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from edgecnn_runtime.errors import GateError
from edgecnn_runtime.run_folder import RunFolder
from edgecnn_runtime.whole_files import written_whole
from edgecnn_training.batches import Batches
from edgecnn_training.checkpoints import Checkpoint
from edgecnn_training.devices import feed
from edgecnn_training.history import Epoch, best_epoch, write_history
from edgecnn_training.origin import Origin
from edgecnn_training.schedule import rate_at
from edgecnn_training.settings import Optimizer, Settings

# The optimizers of `Settings`, made for a learning rate.
_OPTIMIZERS: dict[Optimizer, Callable[[float], Any]] = {
    Optimizer.SGD: keras.optimizers.SGD,
    Optimizer.ADAM: keras.optimizers.Adam,
    Optimizer.ADADELTA: keras.optimizers.Adadelta,
}


@dataclass(frozen=True)
class Progress:
    """How far a run has come, told after each step and once more after each epoch."""

    epoch: int  # 1…epochs
    epochs: int
    step: int  # 1…steps
    steps: int
    loss: float  # mean over the epoch so far
    accuracy: float  # 0…1, the same
    finished: Epoch | None = None  # the scores, once the epoch is finished and its checkpoint written


Report = Callable[[Progress], None]


def compile_network(model: Any, settings: Settings) -> None:
    """Compile a network that gives probabilities, for class numbers as labels."""
    model.compile(
        optimizer=_OPTIMIZERS[settings.optimizer](settings.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # Keras chooses XLA by itself where it can, which takes six times as long here: MNIST on two CPU cores.
        jit_compile=False,
    )


def fit(
    model: Any,
    *,
    network: Any,
    training: Batches,
    validation: Batches,
    origin: Origin,
    folder: RunFolder,
    checkpoint: Checkpoint | None,
    report: Report,
) -> tuple[Epoch, ...]:
    """Train a compiled model to its last epoch, from a checkpoint where there is one.

    After it `best.weights.h5` holds the network's weights of the best epoch on the validation images.

    Args:
        model: what is trained: the network, or a part of it, or the network behind random changes to its images.
        network: the whole network, whose layers `model` shares.
        training: what `model` takes, to train on.
        validation: the same, to choose the best epoch by.
        origin: what the run was started with.
        folder: where the run goes.
        checkpoint: where to go on.
        report: called after each step and each epoch.

    Returns:
        The scores of all epochs, those before the checkpoint among them.

    Raises:
        GateError: the loss is no longer a number; the checkpoint before is kept.
        OSError: a checkpoint cannot be written; the one before is kept.
    """
    history: tuple[Epoch, ...] = ()
    if checkpoint is not None:
        checkpoint.restore(model)
        history = checkpoint.history
        _write_beside(network, history, origin.settings, folder)
    if not is_over(history, origin.settings):
        keeper = _Keeper(
            network=network, training=training, origin=origin, folder=folder, history=history, report=report
        )
        model.fit(
            feed(training),
            validation_data=feed(validation),
            initial_epoch=len(history),
            epochs=origin.settings.epochs,
            callbacks=[keeper],
            # The order is the business of `Batches`.
            shuffle=False,
            verbose=0,
        )
        history = keeper.history
    return history


def is_over(history: tuple[Epoch, ...], settings: Settings) -> bool:
    """Whether all epochs are done, or the best one lies so far back that the run ends early."""
    if len(history) >= settings.epochs:
        return True
    if not settings.patience or not history:
        return False
    return len(history) - best_epoch(history, settings.monitor).epoch >= settings.patience


def _write_beside(network: Any, history: tuple[Epoch, ...], settings: Settings, folder: RunFolder) -> None:
    """Write what follows from the checkpoint of the last epoch of `history`, whose weights `network` has."""
    write_history(folder.history, history)
    if best_epoch(history, settings.monitor) is history[-1]:
        with written_whole(folder.best_weights) as partial:
            network.save_weights(partial)


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Gives each epoch its order and its rate, reports each step, and keeps what a finished epoch has brought."""

    def __init__(
        self,
        *,
        network: Any,
        training: Batches,
        origin: Origin,
        folder: RunFolder,
        history: tuple[Epoch, ...],
        report: Report,
    ) -> None:
        super().__init__()
        self.history, self._network = history, network
        self._training, self._origin, self._folder, self._report = training, origin, folder, report
        self._epoch, self._started = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Shuffle, and set the learning rate. Keras counts epochs from 0."""
        del logs
        settings = self._origin.settings
        self.model.optimizer.learning_rate = rate_at(
            settings.schedule, epoch, epochs=settings.epochs, base=settings.learning_rate
        )
        self._epoch, self._started = epoch, time.perf_counter()
        self._training.start_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Report the step."""
        self._report(self._progress(batch + 1, logs))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keep the epoch: the checkpoint first, then what can be made from it."""
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise GateError(
                f"loss: a finite number expected, got {logs['loss']} in epoch {epoch + 1}; "
                "the training diverges: lower --learning-rate"
            )
        finished = Epoch(
            epoch=epoch + 1,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=float(logs["val_loss"]),
            val_accuracy=float(logs["val_accuracy"]),
            learning_rate=float(self.model.optimizer.learning_rate),
            seconds=time.perf_counter() - self._started,
        )
        self.history = (*self.history, finished)
        Checkpoint.of(self.model, origin=self._origin, history=self.history).write(self._folder)
        _write_beside(self._network, self.history, self._origin.settings, self._folder)
        if is_over(self.history, self._origin.settings):
            self.model.stop_training = True
        self._report(self._progress(len(self._training), logs, finished))

    def _progress(self, step: int, logs: dict[str, float], finished: Epoch | None = None) -> Progress:
        return Progress(
            epoch=self._epoch + 1,
            epochs=self._origin.settings.epochs,
            step=step,
            steps=len(self._training),
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            finished=finished,
        )
