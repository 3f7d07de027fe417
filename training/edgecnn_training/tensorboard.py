"""The scores of a run as TensorBoard reads them: event files, laid out as `keras.callbacks.TensorBoard` does.

That callback needs the package `tensorboard` to write, which TensorFlow 2.21 no longer depends on; here TensorFlow is
enough. Like `history.csv` the files follow from the checkpoint: a resumed run writes them anew from its history, so
that the curves have no gap, and no epoch twice.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from edgecnn_runtime.errors import InputError
from edgecnn_training.fit import Progress, ReportProgress
from edgecnn_training.history import Epoch


def check_event_writer() -> None:
    """Make sure that event files can be written.

    Raises:
        InputError: the Keras backend is not TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"tensorboard: expected the Keras backend tensorflow, got {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow or leave --tensorboard out"
        )


def event_writer(folder: Path, network: Any, history: Sequence[Epoch]) -> ReportProgress:
    """Start the event files of a run, in place of those that are there.

    The step of a score is the number of its epoch, from 1. The runs `train` and `validation` both have `epoch_loss` and
    `epoch_accuracy`, so that TensorBoard draws them into one chart; `train` has `epoch_learning_rate` and the network.

    Args:
        folder: where the runs go.
        network: the Keras model.
        history: the epochs before.

    Returns:
        A function that writes each finished epoch as soon as it is reported.
    """
    import tensorflow as tf

    if folder.exists():
        shutil.rmtree(folder)
    training, validation = (tf.summary.create_file_writer(str(folder / name)) for name in ("train", "validation"))

    def write(epoch: Epoch) -> None:
        for writer, scores in (
            (training, {"loss": epoch.loss, "accuracy": epoch.accuracy, "learning_rate": epoch.learning_rate}),
            (validation, {"loss": epoch.val_loss, "accuracy": epoch.val_accuracy}),
        ):
            with writer.as_default():
                for name, score in scores.items():
                    value = tf.constant(score, tf.float32)
                    tf.summary.write(f"epoch_{name}", value, step=epoch.epoch, metadata=_shown_by(tf, "scalars"))
            writer.flush()

    with training.as_default():
        # What the dashboard of graphs calls a conceptual graph.
        tf.summary.write("keras", network.to_json(), step=0, metadata=_shown_by(tf, "graph_keras_model", b"1"))
    for epoch in history:
        write(epoch)

    def report(progress: Progress) -> None:
        if progress.finished is not None:
            write(progress.finished)

    return report


def _shown_by(tf: Any, dashboard: str, content: bytes = b"") -> Any:
    """Name the dashboard of TensorBoard that a value is for, with the version of its format, as `content` has it."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name, metadata.plugin_data.content = dashboard, content
    return metadata
