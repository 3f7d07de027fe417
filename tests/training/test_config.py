import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord
from edgecnn_training.augmentation import Augmentation
from edgecnn_training.config import Config, read_config
from edgecnn_training.history import Monitor
from edgecnn_training.recipes import get_recipe
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import ClassWeights, Optimizer, TrainingSettings


def read(text: str, folder: Path) -> Config:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_every_value_can_be_given(tmp_path: Path) -> None:
    text = """
        recipe = "small-cnn"
        data = "my images"
        imgsz = 64
        epochs = 7
        batch_size = 16
        optimizer = "sgd"
        learning_rate = 1
        schedule = "cosine"
        warmup_epochs = 2
        weight_decay = 0.01
        label_smoothing = 0.1
        averaged_weights = true
        monitor = "loss"
        patience = 3
        least_steps = 300
        class_weights = "balanced"
        precise_batch_norm = true
        temperature_scaling = true
        folds = 3
        teacher = "runs/large"
        teacher_weight = 0.3
        temperature = 2.5
        augment = true
        weights = "none"
        unfreeze = 5
        fine_tune_epochs = 2
        fine_tune_rate = 1e-4
        validation_fraction = 0.25
        seed = 5
        deterministic = true
        mixed_precision = true
        threads = 2
        device = "cpu"

        [augmentation]
        flip-horizontal = true
        zoom_in = 0.2
        blur = 1
    """
    config = read(text, tmp_path)
    assert (config.recipe, config.data, config.imgsz) == ("small-cnn", "my images", 64)
    assert set(config.settings) == {field.name for field in dataclasses.fields(TrainingSettings)}
    assert get_recipe("mnist").settings.overridden(**config.settings) == TrainingSettings(
        epochs=7,
        batch_size=16,
        optimizer=Optimizer.SGD,
        learning_rate=1,
        schedule=Schedule.COSINE,
        warmup_epochs=2,
        weight_decay=0.01,
        label_smoothing=0.1,
        averaged_weights=True,
        monitor=Monitor.LOSS,
        patience=3,
        least_steps=300,
        class_weights=ClassWeights.BALANCED,
        precise_batch_norm=True,
        temperature_scaling=True,
        folds=3,
        teacher="runs/large",
        teacher_weight=0.3,
        temperature=2.5,
        augment=True,
        augmentation=Augmentation(flip_horizontal=True, zoom_in=0.2, blur=1.0),
        unfreeze=5,
        fine_tune_epochs=2,
        fine_tune_rate=1e-4,
        validation_fraction=0.25,
        seed=5,
        deterministic=True,
        mixed_precision=True,
        threads=2,
        device="cpu",
    )


def test_what_is_not_given_is_the_recipes(tmp_path: Path) -> None:
    config = read("epochs = 7", tmp_path)
    assert config == Config(settings={"epochs": 7})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 7", r"run\.toml: expected keys among recipe, .*epochs.*, got 'epoch'"),
        ('epochs = "7"', r"run\.toml: epochs: expected a whole number, got '7'"),
        ("epochs = 7.5", r"run\.toml: epochs: expected a whole number, got 7\.5"),
        ("epochs = true", r"run\.toml: epochs: expected a whole number, got True"),
        ("augment = 1", r"run\.toml: augment: expected true or false, got 1"),
        ("optimizer = 1", r"run\.toml: optimizer: expected text in quotes, got 1"),
        ("threads = 1.5", r"run\.toml: threads: expected a whole number, got 1\.5"),
        ("augmentation = 1", r"run\.toml: augmentation: expected a table of changes, got 1"),
        ("epochs 7", r"run\.toml: expected TOML; "),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[augmentation]\nrotatoin = 1", r"run\.toml: augmentation: .* got 'rotatoin'; did you mean rotation"),
        ("[augmentation]\nrotation = -1", r"run\.toml: augmentation: rotation: expected 0…1, got -1"),
        ("[augmentation]\nrotation = [1]", r"run\.toml: augmentation: rotation: expected a number, .* got \[1\]"),
        ("[augmentation]", r"run\.toml: augmentation: expected at least one change"),
    ],
)
def test_a_wrong_table_of_changes_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read(text, tmp_path)


def test_changes_can_be_text_as_on_the_command_line(tmp_path: Path) -> None:
    config = read('augmentation = "blur=1"', tmp_path)
    assert get_recipe("mnist").settings.overridden(**config.settings).augmentation == Augmentation(blur=1.0)


@pytest.mark.parametrize("name", ["missing.toml", "missing.json"])
def test_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{name}: not found; expected a TOML file or the run\.json of a run"):
        read_config(tmp_path / name)


def test_another_json_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"export\.json: expected a TOML file or the run\.json of a run .* got another"
    ):
        read_config(tmp_path / "export.json")


def test_a_finished_run_can_be_repeated(tmp_path: Path) -> None:
    settings = get_recipe("signs").settings.overridden(epochs=3, seed=9, schedule="cosine")
    folder = RunFolder(tmp_path / "run")
    resolved: dict[str, Any] = {"name": "signs", "augmentation": None, **dataclasses.asdict(settings)}
    folder.write_record(
        RunRecord("run", resolved, ("0", "1"), InputSpec(64, 64, Colour.RGB), "signs", "sets/signs", "ab" * 32, 9)
    )
    config = read_config(folder.record)
    assert (config.recipe, config.data, config.data_fingerprint) == ("signs", "sets/signs", "ab" * 32)
    assert get_recipe("signs").settings.overridden(**config.settings) == settings
