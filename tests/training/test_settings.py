import dataclasses
import json
from typing import Any

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_training.augmentation import Augmentation
from edgecnn_training.settings import USUAL_LEARNING_RATES, Optimizer, TrainingSettings

DEFAULT = TrainingSettings(epochs=10, batch_size=128, optimizer=Optimizer.ADADELTA, learning_rate=1.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": -1}, "batch size: expected at least 1, got -1"),
        ({"threads": 0}, "threads: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning rate: expected a finite number above 0, got 0"),
        ({"learning_rate": float("nan")}, "learning rate: .* got nan"),
        ({"learning_rate": float("inf")}, "learning rate: .* got inf"),
        ({"seed": -1}, r"seed: expected 0…4294967295, got -1"),
        (
            {"optimizer": "adamx"},
            "optimizer: expected one of sgd, adam, adamw, rmsprop, adadelta, got 'adamx'; did you mean adam",
        ),
        ({"warmup_epochs": -1}, "warmup epochs: expected at least 0, got -1"),
        ({"weight_decay": -0.1}, "weight decay: expected a number from 0 up to, but not including, 1, got -0.1"),
        ({"weight_decay": float("nan")}, "weight decay: .* got nan"),
        ({"label_smoothing": 1.0}, "label smoothing: expected a number from 0 up to, but not including, 1, got 1"),
        ({"augmentation": "rotate=1"}, "augmentation: expected changes among .* got 'rotate'; did you mean rotation"),
        ({"augmentation": "blur=1", "augment": False}, "augmentation: expected --augment with it, got --no-augment"),
    ],
)
def test_a_wrong_value_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DEFAULT.overridden(**wrong)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_validation_needs_a_share(fraction: float) -> None:
    with pytest.raises(InputError, match="validation fraction: expected a share between 0 and 1"):
        dataclasses.replace(DEFAULT, validation_fraction=fraction)


def test_nothing_given_changes_nothing() -> None:
    assert DEFAULT.overridden() == DEFAULT


@pytest.mark.parametrize("optimizer", Optimizer)
def test_another_optimizer_brings_its_usual_learning_rate(optimizer: Optimizer) -> None:
    assert DEFAULT.overridden(optimizer=optimizer.upper()).learning_rate == USUAL_LEARNING_RATES[optimizer]
    assert DEFAULT.overridden(optimizer=optimizer, learning_rate=0.5).learning_rate == 0.5


def test_the_same_optimizer_keeps_the_learning_rate() -> None:
    slow = DEFAULT.overridden(learning_rate=0.1)
    assert slow.overridden(optimizer="adadelta").learning_rate == 0.1


def test_json_gives_the_same_settings_back() -> None:
    settings = DEFAULT.overridden(seed=7, deterministic=True, threads=2)
    document = json.loads(json.dumps(dataclasses.asdict(settings)))
    assert read_dataclass(TrainingSettings, document, name="recipe") == settings


def test_adamw_brings_a_weight_decay_and_takes_it_away_again() -> None:
    decayed = DEFAULT.overridden(optimizer="adamw")
    assert (decayed.learning_rate, decayed.weight_decay) == (0.001, 0.004)
    assert decayed.overridden(optimizer="rmsprop").weight_decay == 0
    assert DEFAULT.overridden(optimizer="adamw", weight_decay=0.0).weight_decay == 0
    assert DEFAULT.overridden(optimizer="sgd", weight_decay=1e-4).weight_decay == 1e-4


def test_changes_that_are_named_are_made() -> None:
    changed = DEFAULT.overridden(augmentation="flip-horizontal,rotation=0.1")
    assert changed.augment
    assert changed.augmentation == Augmentation(flip_horizontal=True, rotation=0.1)
    assert changed.overridden(augmentation={"blur": 1}).augmentation == Augmentation(blur=1.0)
    off = changed.overridden(augment=False)
    assert (off.augment, off.augmentation) == (False, None)
    document = json.loads(json.dumps(dataclasses.asdict(changed)))
    assert read_dataclass(TrainingSettings, document, name="recipe") == changed
