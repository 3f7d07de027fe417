"""The epochs, stage after stage: train, validate, keep a checkpoint and the best weights."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgecnn_runtime.errors import GateError
from edgecnn_runtime.system.atomic_files import atomic_write, check_room
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.batch_norm import BatchNormStatistics
from edgecnn_training.devices.devices import Devices, feed
from edgecnn_training.distillation import DistillationLoss, accuracy_metric
from edgecnn_training.history import Epoch, best_epoch, write_history
from edgecnn_training.networks.soft_labels import SoftLabelModel, accuracy, cross_entropy
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.schedule import rate_at
from edgecnn_training.settings import Optimizer, TrainingSettings
from edgecnn_training.stage import Stage, stages_of
from edgecnn_training.stage_data import StageData

# The optimizers of `TrainingSettings`, as Keras names them.
_OPTIMIZERS = {
    Optimizer.SGD: "SGD",
    Optimizer.ADAM: "Adam",
    Optimizer.ADAMW: "Adam",  # every optimizer of Keras decays weights so; its AdamW is Adam that always does
    Optimizer.RMSPROP: "RMSprop",
    Optimizer.ADADELTA: "Adadelta",
}


@dataclass(frozen=True)
class Progress:
    """How far a run has come, reported after each step and once more after each epoch."""

    stage: int  # 1…
    epoch: int  # 1…epochs
    epochs: int  # of all stages, if none that is left ends early
    step: int  # 1…steps
    steps: int
    loss: float  # mean over the epoch so far
    accuracy: float  # 0…1, the same
    fold: int = 0  # 1…folds; 0 for the network that is kept
    folds: int = 0
    finished: Epoch | None = None  # the scores, once the epoch is finished and its checkpoint written


ReportProgress = Callable[[Progress], None]


def compile_network(keras: Any, model: Any, settings: TrainingSettings) -> None:
    """Compile a network of the module `keras` that gives probabilities, for class numbers as labels."""
    optimizer = getattr(keras.optimizers, _OPTIMIZERS[settings.optimizer])(
        settings.learning_rate, weight_decay=settings.weight_decay or None, use_ema=settings.averaged_weights
    )
    # Not of biases, nor of the scales and offsets of a batch norm: all that have one axis.
    optimizer.exclude_from_weight_decay(var_list=[each for each in model.trainable_variables if len(each.shape) < 2])
    loss: Any = "sparse_categorical_crossentropy"
    metric: Any = "accuracy"
    if isinstance(model, SoftLabelModel):
        loss, metric = cross_entropy, accuracy
    elif settings.teacher is not None:
        beside = settings.augment
        loss = DistillationLoss(temperature=settings.temperature, weight=settings.teacher_weight, beside=beside)
        metric = accuracy_metric(beside=beside)
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=[metric],
        # Keras chooses XLA by itself where it can, which takes six times as long here: MNIST on two CPU cores.
        jit_compile=False,
    )


def swap_averages(model: Any) -> None:
    """Exchange the weights of a model with the averages that its optimizer keeps of them."""
    # With float16 an optimizer that scales the loss is around the one that keeps them.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    averages = optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        value = np.array(weight.numpy())
        weight.assign(average)
        average.assign(value)


def fit(
    network: Any,
    prepare: Callable[[Stage], StageData],
    *,
    origin: RunOrigin,
    devices: Devices,
    folder: RunFolder,
    checkpoint: Checkpoint | None,
    report: ReportProgress,
    scores: Sequence[Epoch] = (),
) -> tuple[Epoch, ...]:
    """Train a network through all stages to its last epoch, from a checkpoint where there is one.

    Each stage after the first starts from the best weights so far. After the last `best.weights.h5` holds the
    network's weights of the best epoch on the validation images.

    Args:
        network: the whole network.
        prepare: prepares the data of a stage, whose model shares the layers of `network`; called when the stage begins.
        origin: what the run was started with.
        devices: what it is computed on.
        folder: where the run goes.
        checkpoint: where to go on.
        report: called after each step and each epoch.
        scores: of each epoch on images that were kept back in folds, where `prepare` gives none to validate on.

    Returns:
        The scores of all epochs, those before the checkpoint among them.

    Raises:
        GateError: the loss is no longer a number; the checkpoint before is kept.
        OSError: a checkpoint cannot be written; the one before is kept.
    """
    settings = origin.settings
    history = checkpoint.history if checkpoint else ()
    begun = history[-1].stage if history else 1
    for stage in stages_of(settings)[begun - 1 :]:
        if stage.number > begun:
            network.load_weights(folder.best_weights)
        stage_data = prepare(stage)
        with devices.scope():
            compile_network(devices.keras, stage_data.model, settings)
            if checkpoint is not None and stage.number == begun:
                checkpoint.restore(stage_data.model)
        if checkpoint is not None and stage.number == begun:
            write_history(folder.history, history)
        if not stage.is_over(history, settings):
            keeper = _Keeper(
                stage_data,
                stage,
                history,
                checkpoint,
                origin=origin,
                folder=folder,
                # Each device has statistics of its own, of its share of each batch.
                statistics=settings.precise_batch_norm and devices.shares == 1,
                report=report,
                scores=scores,
            )
            epochs = range(len(history), keeper.first + stage.epochs)
            stage_data.model.fit(
                feed(stage_data.training, shares=devices.shares, epochs=epochs),
                class_weight=stage_data.class_weights,
                validation_data=stage_data.validation and feed(stage_data.validation, shares=devices.shares),
                steps_per_epoch=len(stage_data.training),
                initial_epoch=epochs.start,
                epochs=epochs.stop,
                callbacks=[
                    devices.keras.callbacks.LambdaCallback(
                        on_epoch_begin=keeper.on_epoch_begin,
                        on_train_batch_end=keeper.on_train_batch_end,
                        on_test_begin=keeper.on_test_begin,
                        on_epoch_end=keeper.on_epoch_end,
                    )
                ],
                # The order is the business of `Batches`.
                shuffle=False,
                verbose=0,
            )
            history, checkpoint = keeper.history, keeper.checkpoint
        if checkpoint is not None and best_epoch(history, settings.monitor).stage == stage.number:
            # Once a stage, not whenever an epoch is the best so far: Keras takes half a second to write MobileNetV2,
            # three times as long as an epoch of its head.
            with devices.scope():
                checkpoint.restore_best(stage_data.model)
            stage_data.hand_over()
            with atomic_write(folder.best_weights) as partial:
                # HDF5 crashes the process that it cannot write for, at its end.
                check_room(partial, _weights_bytes(network))
                network.save_weights(partial)
    return history


def _weights_bytes(network: Any) -> int:
    """Return at least the size of the file: each variable takes up to some KB beside its numbers, of float32."""
    # A network whose head alone is trained is never compiled.
    optimizer = getattr(network, "optimizer", None)
    variables = [*network.variables, *(optimizer.variables if optimizer else ())]
    return 65536 + sum(4 * math.prod(map(int, variable.shape)) + 4096 for variable in variables)


class _Keeper:
    """Gives each epoch its order and its rate, reports each step, and keeps what a finished epoch has brought."""

    def __init__(
        self,
        stage_data: StageData,
        stage: Stage,
        history: tuple[Epoch, ...],
        checkpoint: Checkpoint | None,
        *,
        origin: RunOrigin,
        folder: RunFolder,
        statistics: bool,
        report: ReportProgress,
        scores: Sequence[Epoch],
    ) -> None:
        self.history, self.checkpoint = history, checkpoint
        # The first epoch of the stage, counted from 0 over all stages, as Keras does here.
        self.first = sum(epoch.stage < stage.number for epoch in history)
        self._stage_data, self._stage = stage_data, stage
        self._origin, self._folder, self._report = origin, folder, report
        self._epochs = self.first + sum(each.epochs for each in stages_of(origin.settings)[stage.number - 1 :])
        self._epoch, self._rate, self._started = 0, 0.0, 0.0
        self._scores = scores
        self._statistics = BatchNormStatistics(stage_data.unaugmented) if statistics else None
        # Where weights are averaged, each epoch ends with the averages in the model, and its own weights in their place
        # in the optimizer; so it is kept, and so a resumed stage begins.
        self._holds_averages = bool(history) and history[-1].stage == stage.number

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Shuffle, and set the learning rate. Keras counts epochs from 0."""
        del logs
        self._swap_averages(into_model=False)
        self._rate = rate_at(
            self._origin.settings.schedule,
            epoch - self.first,
            epochs=self._stage.epochs,
            base=self._stage.learning_rate,
            warmup=self._origin.settings.warmup_epochs,
        )
        self._stage_data.model.optimizer.learning_rate = self._rate
        self._epoch, self._started = epoch, time.perf_counter()
        self._stage_data.training.start_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Report the step."""
        self._report(self._progress(batch + 1, logs))

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Make the statistics of batch norm those of the training images, before the network is validated."""
        del logs
        self._swap_averages(into_model=True)
        if self._statistics is not None:
            self._stage_data.sample.start_epoch(self._epoch)
            self._statistics.recompute(self._stage_data.sample)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keep the epoch: the checkpoint first, then what can be made from it."""
        if self._stage_data.validation is None:
            self.on_test_begin()
            kept_back = self._scores[epoch]
            logs = {**logs, "val_loss": kept_back.val_loss, "val_accuracy": kept_back.val_accuracy}
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise GateError(
                f"loss: expected a finite number, got {logs['loss']} in epoch {epoch + 1}; "
                f"the training diverges: lower {self._stage.rate_option}"
            )
        finished = Epoch(
            epoch=epoch + 1,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            val_loss=float(logs["val_loss"]),
            val_accuracy=float(logs["val_accuracy"]),
            learning_rate=self._rate,
            seconds=time.perf_counter() - self._started,
            stage=self._stage.number,
        )
        self.history = (*self.history, finished)
        self.checkpoint = Checkpoint.of(
            self._stage_data.model, origin=self._origin, history=self.history, before=self.checkpoint
        )
        self.checkpoint.write(self._folder)
        write_history(self._folder.history, self.history)
        if self._stage.is_over(self.history, self._origin.settings):
            self._stage_data.model.stop_training = True
        self._report(self._progress(len(self._stage_data.training), logs, finished))

    def _swap_averages(self, *, into_model: bool) -> None:
        """Exchange the weights with their averages, if they are averaged and not where they should be."""
        if self._origin.settings.averaged_weights and into_model is not self._holds_averages:
            swap_averages(self._stage_data.model)
            self._holds_averages = into_model

    def _progress(self, step: int, logs: dict[str, float], finished: Epoch | None = None) -> Progress:
        return Progress(
            stage=self._stage.number,
            epoch=self._epoch + 1,
            epochs=self._epochs,
            step=step,
            steps=len(self._stage_data.training),
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            finished=finished,
        )
