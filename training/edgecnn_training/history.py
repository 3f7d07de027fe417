"""The scores of a run, epoch by epoch."""

import csv
import dataclasses
import enum
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.system.atomic_files import write_text


class Monitor(enum.StrEnum):
    """Which epoch is taken as the best one: by a score of the validation images, or the last one in any case."""

    ACCURACY = "accuracy"  # the highest; of equal ones that of the lowest loss
    LOSS = "loss"  # the lowest
    LAST = "last"  # for a schedule that ends at a low rate, and wherever few validation images would choose by chance


@dataclass(frozen=True)
class Epoch:
    """The scores of one epoch, a row of `history.csv`."""

    epoch: int  # 1…epochs
    loss: float  # cross-entropy in nats on the training images, mean over the epoch, with dropout at work
    accuracy: float  # 0…1, on the same
    val_loss: float  # on the validation images, at the end of the epoch
    val_accuracy: float
    learning_rate: float
    seconds: float  # training and validation
    stage: int = 1  # 2 where the top of the base learns too


def best_epoch(history: Sequence[Epoch], monitor: Monitor) -> Epoch:
    """Return the epoch whose weights are kept; of equally good ones the first."""
    if monitor is Monitor.LAST:
        return history[-1]
    if monitor is Monitor.LOSS:
        return min(history, key=lambda epoch: epoch.val_loss)
    return max(history, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Write one row per epoch as CSV, atomically."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in dataclasses.fields(Epoch))
    table.writerows(dataclasses.astuple(epoch) for epoch in history)
    write_text(path, text.getvalue())
