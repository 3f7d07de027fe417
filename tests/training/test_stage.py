import dataclasses

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_training.history import Epoch
from edgecnn_training.settings import Optimizer, TrainingSettings
from edgecnn_training.stage import stages_of

ONE = TrainingSettings(epochs=9, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.003)
TWO = dataclasses.replace(ONE, unfreeze=3, fine_tune_epochs=4)


def history(*accuracies: float, stage: int = 1, first: int = 1) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(number, 1.0, 0.5, 1.0, accuracy, 0.1, 1.0, stage) for number, accuracy in enumerate(accuracies, first)
    )


def test_a_base_that_stays_frozen_has_one_stage() -> None:
    assert len(stages_of(ONE)) == 1
    assert [(stage.number, stage.epochs, stage.unfreeze) for stage in stages_of(TWO)] == [(1, 9, 0), (2, 4, 3)]


@pytest.mark.parametrize(("patience", "over"), [(0, False), (2, True), (3, False)])
def test_patience_counts_from_the_best_epoch(patience: int, over: bool) -> None:
    (stage,) = stages_of(ONE)
    settings = dataclasses.replace(ONE, patience=patience)
    assert stage.is_over(history(0.6, 0.5, 0.6), settings) is over
    assert stage.is_over(history(*[0.5] * 9), settings)


def test_a_stage_counts_its_own_epochs_and_its_own_best() -> None:
    settings = dataclasses.replace(TWO, patience=2)
    first, second = stages_of(settings)
    before = history(0.5, 0.9, 0.8, 0.8)
    assert first.is_over(before, settings)
    assert not second.is_over(before, settings)
    assert not second.is_over(before + history(0.6, 0.7, 0.6, stage=2, first=5), settings)
    assert second.is_over(before + history(0.7, 0.6, 0.6, stage=2, first=5), settings)
    assert second.is_over(before + history(0.6, 0.7, 0.8, 0.9, stage=2, first=5), TWO)


@pytest.mark.parametrize(
    ("given", "rate"),
    [({}, 1e-5), ({"optimizer": "sgd"}, 1e-4), ({"optimizer": "sgd", "fine_tune_rate": 1e-3}, 1e-3)],
    ids=["Keras guide", "Keras blog", "given"],
)
def test_the_rate_of_fine_tuning(given: dict[str, object], rate: float) -> None:
    assert TWO.overridden(**given).fine_tune_rate == pytest.approx(rate)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unfreeze": -1}, "unfreeze: expected at least 0, got -1"),
        ({"fine_tune_epochs": 0}, "fine tune epochs: expected at least 1, got 0"),
        ({"fine_tune_rate": 0.0}, "fine tune rate: expected a finite number above 0, got 0.0"),
    ],
)
def test_values_out_of_range(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ONE.overridden(**given)  # type: ignore[arg-type]
