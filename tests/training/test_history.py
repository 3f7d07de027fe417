from pathlib import Path

import pytest

from edgecnn_training.history import Epoch, Monitor, best_epoch, write_history


def epoch(number: int, val_accuracy: float, val_loss: float) -> Epoch:
    return Epoch(number, 0.5, 0.8, val_loss, val_accuracy, 0.001, 1.5)


@pytest.mark.parametrize(
    ("scores", "by_accuracy", "by_loss"),
    [
        ([(0.9, 0.3)], 1, 1),
        ([(0.9, 0.3), (0.95, 0.4), (0.94, 0.1)], 2, 3),
        ([(0.9, 0.3), (0.9, 0.2)], 2, 2),
        ([(0.9, 0.3), (0.9, 0.3)], 1, 1),
    ],
    ids=["only one", "they differ", "equal accuracy, lower loss", "all equal, the first"],
)
def test_the_best_epoch(scores: list[tuple[float, float]], by_accuracy: int, by_loss: int) -> None:
    history = [epoch(number, *pair) for number, pair in enumerate(scores, start=1)]
    assert best_epoch(history, Monitor.ACCURACY).epoch == by_accuracy
    assert best_epoch(history, Monitor.LOSS).epoch == by_loss


def test_history_is_one_row_an_epoch(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [epoch(1, 0.9, 0.25), epoch(2, 0.95, 0.125)])
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,stage\n"
        "1,0.5,0.8,0.25,0.9,0.001,1.5,1\n"
        "2,0.5,0.8,0.125,0.95,0.001,1.5,1\n"
    )
