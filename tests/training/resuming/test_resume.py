import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord
from edgecnn_training.history import Epoch
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.resuming.resume import claim, started_with
from edgecnn_training.settings import Optimizer, TrainingSettings

SETTINGS = TrainingSettings(epochs=3, batch_size=8, optimizer=Optimizer.SGD, learning_rate=0.01, threads=2)
ORIGIN = RunOrigin("mnist", "sets/mnist", "ab" * 32, SETTINGS)
CHECKPOINT = Checkpoint(ORIGIN, (Epoch(1, 0.5, 0.8, 0.4, 0.9, 0.01, 1.0),), (), (), ())


@pytest.fixture
def unfinished(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    CHECKPOINT.write(folder)
    return folder


@pytest.fixture
def finished(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.write_record(
        RunRecord(
            name="run",
            recipe={"name": "mnist", **dataclasses.asdict(SETTINGS)},
            labels=("0", "1"),
            input=InputSpec(28, 28, Colour.GREY),
            data_name="mnist",
            data_folder=ORIGIN.data_folder,
            data_fingerprint=ORIGIN.data_fingerprint,
            seed=0,
        )
    )
    return folder


def changed(**settings: Any) -> RunOrigin:
    return dataclasses.replace(ORIGIN, settings=dataclasses.replace(SETTINGS, **settings))


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_without_a_run_is_free(resume: bool, tmp_path: Path) -> None:
    assert started_with(RunFolder(tmp_path)) is None
    assert claim(RunFolder(tmp_path), ORIGIN, resume=resume, overwrite=False) is None


def test_an_unfinished_run_goes_on(unfinished: RunFolder) -> None:
    assert started_with(unfinished) == ORIGIN
    assert claim(unfinished, ORIGIN, resume=True, overwrite=False) == CHECKPOINT


def test_a_finished_run_has_nothing_to_go_on_with(finished: RunFolder) -> None:
    assert started_with(finished) == ORIGIN
    assert claim(finished, ORIGIN, resume=True, overwrite=False) is None
    assert finished.record.exists()


def test_nothing_is_destroyed_unasked(unfinished: RunFolder) -> None:
    with pytest.raises(InputError, match=r"got an unfinished run; give --resume .* or --overwrite"):
        claim(unfinished, ORIGIN, resume=False, overwrite=False)


def test_a_finished_run_is_not_destroyed_unasked(finished: RunFolder) -> None:
    with pytest.raises(InputError, match=r"got a finished run; give --output .* or --overwrite"):
        claim(finished, ORIGIN, resume=False, overwrite=False)


def test_overwriting_removes_the_run_and_what_was_made_of_it_and_nothing_else(finished: RunFolder) -> None:
    made = (finished.checkpoints, finished.figures, finished.tensorboard, finished.export, finished.bench)
    for folder in (*made, finished.path / "mine"):
        folder.mkdir()
        (folder / "file").touch()
    finished.model.touch()
    assert claim(finished, ORIGIN, resume=False, overwrite=True) is None
    assert [path.name for path in finished.path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (changed(epochs=4), "got epochs 4 instead of 3;"),
        (changed(batch_size=9, seed=1), "got batch size 9 instead of 8, seed 1 instead of 0;"),
        (changed(optimizer=Optimizer.ADAM), "got optimizer adam instead of sgd;"),
        (dataclasses.replace(ORIGIN, recipe="signs"), "got recipe signs instead of mnist;"),
        (
            dataclasses.replace(ORIGIN, data_folder="other", data_fingerprint="cd" * 32),
            r"got data other \(cdcdcdcdcdcd…\) instead of sets/mnist \(abababababab…\);",
        ),
    ],
)
def test_other_settings_are_named(other: RunOrigin, message: str, unfinished: RunFolder) -> None:
    with pytest.raises(InputError, match=message):
        claim(unfinished, other, resume=True, overwrite=False)
    assert unfinished.last_checkpoint.exists()


def test_data_may_move(unfinished: RunFolder) -> None:
    moved = dataclasses.replace(ORIGIN, data_folder="elsewhere")
    assert claim(unfinished, moved, resume=True, overwrite=False) == CHECKPOINT


def test_threads_matter_to_a_deterministic_run_alone() -> None:
    assert ORIGIN.differences(changed(threads=4)) == []
    strict = changed(deterministic=True)
    assert strict.differences(changed(deterministic=True, threads=4)) == ["threads 4 instead of 2"]


def test_a_record_without_its_settings_is_named(finished: RunFolder) -> None:
    record = dataclasses.replace(finished.read_record(), recipe={"name": "mnist"})
    finished.write_record(record)
    with pytest.raises(InputError, match=r"run\.json: recipe: expected the key 'epochs', got none; train again"):
        started_with(finished)
