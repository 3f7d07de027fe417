import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.fit import compile_network
from edgecnn_training.history import Epoch
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.settings import Optimizer, TrainingSettings

ORIGIN = RunOrigin(
    recipe="mnist",
    data_folder="sets/mnist",
    data_fingerprint="0" * 64,
    settings=TrainingSettings(epochs=3, batch_size=8, optimizer=Optimizer.ADAM, learning_rate=0.01),
)
HISTORY = (Epoch(1, 0.1234567890123456, 0.8, 0.2, 0.9, 0.01, 1.5),)


def network(optimizer: Optimizer, units: int = 4) -> Any:
    import keras

    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.Softmax(),
        ]
    )
    compile_network(keras, model, dataclasses.replace(ORIGIN.settings, optimizer=optimizer))
    return model


def steps(model: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(3):
        model.train_on_batch(generator.normal(size=(8, 3)), generator.integers(0, 4, 8))


def state(model: Any) -> list[np.ndarray]:
    return [np.asarray(variable) for variable in [*model.variables, *model.optimizer.variables]]


@pytest.mark.parametrize("optimizer", Optimizer)
def test_training_goes_on_to_the_bit(optimizer: Optimizer, tmp_path: Path) -> None:
    """Weights, slots, step count, moving averages and the dropout's random generator all go through the file."""
    model = network(optimizer)
    steps(model, seed=0)
    Checkpoint.of(model, origin=ORIGIN, history=HISTORY).write(RunFolder(tmp_path))
    steps(model, seed=1)

    read = Checkpoint.read(RunFolder(tmp_path))
    assert read is not None
    assert (read.origin, read.history) == (ORIGIN, HISTORY)
    other = network(optimizer)
    read.restore(other)
    steps(other, seed=1)
    for expected, got in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_best_epoch_of_the_stage_goes_through_the_file(tmp_path: Path) -> None:
    first, worse = HISTORY[0], dataclasses.replace(HISTORY[0], epoch=2, val_accuracy=0.1)
    other_stage = dataclasses.replace(worse, epoch=3, stage=2)
    model = network(Optimizer.SGD)
    steps(model, seed=0)
    checkpoint = Checkpoint.of(model, origin=ORIGIN, history=(first,))
    best = model.get_weights()
    for history, expected in (((first, worse), best), ((first, worse, other_stage), None)):
        steps(model, seed=1)
        Checkpoint.of(model, origin=ORIGIN, history=history, before=checkpoint).write(RunFolder(tmp_path))
        read = Checkpoint.read(RunFolder(tmp_path))
        assert read is not None
        checkpoint, now, restored = read, model.get_weights(), network(Optimizer.SGD)
        read.restore_best(restored)
        for one, other in zip(restored.get_weights(), expected or now, strict=True):
            np.testing.assert_array_equal(one, other)
        assert any(not np.array_equal(one, other) for one, other in zip(now, best, strict=True))


def test_there_may_be_none(tmp_path: Path) -> None:
    assert Checkpoint.read(RunFolder(tmp_path)) is None


def test_another_network_is_refused() -> None:
    model = network(Optimizer.SGD)
    model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint.of(model, origin=ORIGIN, history=HISTORY)
    with pytest.raises(InputError, match="expected the variables of this mnist network"):
        checkpoint.restore(network(Optimizer.SGD, units=5))
    with pytest.raises(InputError, match="expected the variables of this mnist network"):
        checkpoint.restore(network(Optimizer.ADAM))


@pytest.mark.parametrize("keep", [0, 10, 700, -30])
def test_a_damaged_file_is_named(keep: int, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    model = network(Optimizer.SGD)
    Checkpoint.of(model, origin=ORIGIN, history=HISTORY).write(folder)
    whole = folder.last_checkpoint.read_bytes()
    folder.last_checkpoint.write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"last\.npz: expected a checkpoint.*--overwrite"):
        Checkpoint.read(folder)


def test_a_file_that_needs_pickle_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    np.savez(folder.last_checkpoint, header=np.array({"origin": 1}, dtype=object))
    with pytest.raises(InputError, match="allow_pickle=False"):
        Checkpoint.read(folder)
