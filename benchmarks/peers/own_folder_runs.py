"""What each training on a set of `benchmarks/OWN_FOLDER.md` reached, kept in `own_folder_runs.jsonl`, a line a run."""

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from kept_lines import read_lines, write_lines

KEPT = Path(__file__).parents[1] / "own_folder_runs.jsonl"

BINS = 15


@dataclass(frozen=True)
class FolderRun:
    """One training of one set, judged on the held-out images. Scores are 0…1."""

    set: str
    way: str
    seed: int
    fingerprint: str  # of the images
    images: int  # held out
    accuracy: float
    worst_recall: float
    worst_class: str
    ece: float
    seconds: float  # of the training's process, from its start to its end
    machine: str
    keras: str
    recipe: str = ""  # that edgecnn trained
    int8_accuracy: float | None = None  # None where no file was made

    @property
    def key(self) -> tuple[str, str, int]:
        """What was run; one a set, way and seed is kept."""
        return self.set, self.way, self.seed


@dataclass(frozen=True)
class HeldOutScores:
    """What the predictions for held-out images are worth, 0…1."""

    images: int
    accuracy: float
    worst_recall: float
    worst_class: str
    ece: float


def read_scores(predictions: Path) -> HeldOutScores:
    """Score a table with the columns of `edgecnn evaluate`: image, true, predicted, probability."""
    with predictions.open(newline="", encoding="utf-8") as file:
        rows = [(row["true"], row["predicted"], float(row["probability"])) for row in csv.DictReader(file)]
    right = [(true == predicted, probability) for true, predicted, probability in rows]
    by_class = defaultdict(list)
    for true, predicted, _ in rows:
        by_class[true].append(true == predicted)
    recalls = {name: sum(answers) / len(answers) for name, answers in by_class.items()}
    worst = min(sorted(recalls), key=lambda name: recalls[name])
    return HeldOutScores(
        images=len(rows),
        accuracy=sum(hit for hit, _ in right) / len(rows),
        worst_recall=recalls[worst],
        worst_class=worst,
        ece=expected_calibration_error(right),
    )


def expected_calibration_error(answers: list[tuple[bool, float]]) -> float:
    """Return how far probability and accuracy lie apart, 0…1, in 15 bins of equal width.

    The sum over the bins of their share of the images, times the distance between their accuracy and their mean
    probability: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599,
    equation 3. A bin holds its upper end.

    Args:
        answers: whether each is right, and the probability of the class that was answered.

    >>> expected_calibration_error([(True, 1.0), (True, 1.0), (False, 1.0), (True, 0.5)])
    0.375
    """
    bins = defaultdict(list)
    for right, probability in answers:
        bins[max(0, math.ceil(probability * BINS) - 1)].append((right, probability))
    apart = (abs(sum(right - probability for right, probability in inside)) for inside in bins.values())
    return sum(apart) / len(answers)


def read_runs(path: Path = KEPT) -> list[FolderRun]:
    """Read the kept runs; none where the file does not exist.

    Raises:
        DataError: a line is not a run.
    """
    return read_lines(path, FolderRun, what="a training of a set", again="own_folder.py")


def keep(run: FolderRun, path: Path = KEPT) -> None:
    """Add a run to the file, or put it in the place of the one with the same set, way and seed."""
    write_lines(path, read_runs(path), run)
