"""Event files read back with TensorFlow: each epoch once, whatever stopped the run."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tiny_base import FROZEN

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.fit import Progress
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.train import train


def values(folder: Path) -> list[tuple[str, str, int, Any]]:
    """Dashboard, tag, step and value of every event of a run, in the order of writing."""
    (path,) = folder.iterdir()
    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    return [
        (value.metadata.plugin_data.plugin_name, value.tag, event.step, tf.make_ndarray(value.tensor).item())
        for event in events
        for value in event.summary.value
    ]


def stop_in_epoch_2(progress: Progress) -> None:
    if progress.epoch == 2 and progress.finished is None:
        raise KeyboardInterrupt


def test_a_resumed_run_has_each_epoch_once(
    tmp_path: Path, small_set: ImageSet, quick: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
    settings = dataclasses.replace(quick, unfreeze=3, fine_tune_epochs=1)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train(FROZEN, small_set, folder, settings, tensorboard=True, report=stop_in_epoch_2)
    assert {step for _, _, step, _ in values(folder.tensorboard / "validation")} == {1}
    # Not asked for again: what has begun goes on.
    train(FROZEN, small_set, folder, settings, resume=True)

    with folder.history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    expected = {
        "train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate"},
        "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
    }
    for name, columns in expected.items():
        scalars = [value[1:] for value in values(folder.tensorboard / name) if value[0] == "scalars"]
        assert scalars == [
            (tag, int(row["epoch"]), pytest.approx(float(row[column])))
            for row in rows
            for tag, column in columns.items()
        ]
    ((_, tag, _, drawn),) = [value for value in values(folder.tensorboard / "train") if value[0] != "scalars"]
    assert (tag, json.loads(drawn)["config"]["name"]) == ("keras", "frozen")


def test_another_backend_is_refused_before_anything_is_written(
    tmp_path: Path, small_set: ImageSet, quick: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="tensorboard: expected the Keras backend tensorflow, got jax"):
        train(FROZEN, small_set, RunFolder(tmp_path / "run"), quick, tensorboard=True)
    assert not (tmp_path / "run").exists()
