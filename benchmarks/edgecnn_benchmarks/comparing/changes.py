"""One file in two benchmarks: what became of its latency and of its accuracy."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.statistics.differences import differ, paired_difference, ratio, tells, unpaired_difference
from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_runtime.accuracy import Accuracy, mcnemar


class ChangeVerdict(enum.StrEnum):
    """What the measurements say about a difference in latency."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference shown"
    TOO_FEW_ROUNDS = "too few rounds to tell"


@dataclass(frozen=True)
class AccuracyChange:
    """The accuracy of a file in both benchmarks, and the second's less the first's."""

    first: Accuracy
    second: Accuracy
    difference: Estimate  # as shares, -1…1
    # How likely so large a difference is between equals; None where it is not known image by image.
    p_value: float | None

    @property
    def is_chance(self) -> bool:
        """Whether chance alone explains the difference: by McNemar's test of paired images, else the interval."""
        return self.difference.includes(0.0) if self.p_value is None else self.p_value >= 0.05


@dataclass(frozen=True)
class Change:
    """One file in both benchmarks."""

    label: str
    first: BenchRow
    second: BenchRow
    # How many times as long an image takes in the second.
    latency_ratio: Estimate
    finding: ChangeVerdict
    accuracy: AccuracyChange | None


def change_of(first: BenchRow, second: BenchRow, before: BenchResult, after: BenchResult) -> Change:
    """Compare a row of the benchmark `before` with its counterpart in `after`."""
    own, theirs = _image_latencies(first), _image_latencies(second)
    return Change(
        label=first.label,
        first=first,
        second=second,
        latency_ratio=ratio(own, theirs),
        finding=_finding(own, theirs),
        accuracy=_accuracy_change(first, second, before, after),
    )


def _image_latencies(row: BenchRow) -> list[float]:
    return [measured.p50_us / row.batch for measured in row.rounds]


def _finding(first: Sequence[float], second: Sequence[float]) -> ChangeVerdict:
    if not tells(len(first), len(second)):
        return ChangeVerdict.TOO_FEW_ROUNDS
    if not differ(first, second):
        return ChangeVerdict.NO_DIFFERENCE
    return ChangeVerdict.SLOWER if ratio(first, second).value > 1 else ChangeVerdict.FASTER


def _accuracy_change(
    first: BenchRow, second: BenchRow, before: BenchResult, after: BenchResult
) -> AccuracyChange | None:
    if first.accuracy is None or second.accuracy is None:
        return None
    wrong, wrong_later = _wrong(before, first), _wrong(after, second)
    if wrong is None or wrong_later is None or not same_images(before, after):
        difference = unpaired_difference(first.accuracy, second.accuracy)
        return AccuracyChange(first.accuracy, second.accuracy, difference, p_value=None)
    gained, lost = len(wrong - wrong_later), len(wrong_later - wrong)
    difference = paired_difference(gained=gained, lost=lost, images=first.accuracy.total)
    return AccuracyChange(first.accuracy, second.accuracy, difference, p_value=mcnemar(lost, gained))


def same_images(first: BenchResult, second: BenchResult) -> bool:
    """Tell whether both were tested on the same images in the same order, as their fingerprints say."""
    if first.data is None or second.data is None or first.data.fingerprint is None:
        return False
    return (first.data.fingerprint, first.data.images) == (second.data.fingerprint, second.data.images)


def _wrong(result: BenchResult, row: BenchRow) -> set[int] | None:
    """Return the numbers of the images that a file gets wrong, where they are known."""
    answers = next((answers for answers in result.answers if answers.candidate == row.candidate), None)
    if answers is None or row.accuracy is None or len(answers.wrong) != row.accuracy.total - row.accuracy.correct:
        return None
    return set(answers.wrong)
