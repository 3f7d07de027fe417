"""Limits for somebody's continuous integration: which files became worse by more than is allowed."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgecnn_benchmarks.comparing.changes import Change, ChangeVerdict
from edgecnn_benchmarks.comparing.comparison import Comparison


@dataclass(frozen=True)
class Gates:
    """What fails a comparison, as shares; None: not looked at."""

    slower: float | None = None
    less_accurate: float | None = None


@dataclass(frozen=True)
class Regressions:
    """What the gates found: what fails, and what goes too far and may be chance."""

    failed: tuple[str, ...]
    undecided: tuple[str, ...]


def find_regressions(comparison: Comparison, gates: Gates) -> Regressions:
    """Find files that are worse by more than is allowed; only those fail of which chance is excluded.

    With a limit, a file that was measured in the first and could not be in the second fails as well.
    """
    failed = (
        []
        if gates == Gates()
        else [
            f"{failure.name}: measured in the first, and in the second not ({failure.stage}: {failure.reason})"
            for failure in comparison.second.failures
            if failure.name in comparison.only_first
        ]
    )
    undecided: list[str] = []
    for change in comparison.changes:
        for sentence, is_sure in (*_slower(change, gates.slower), *_less_accurate(change, gates.less_accurate)):
            (failed if is_sure else undecided).append(sentence)
    return Regressions(tuple(failed), tuple(undecided))


def _slower(change: Change, limit: float | None) -> Iterator[tuple[str, bool]]:
    latency = change.latency_ratio
    if limit is not None and latency.value > 1 + limit:
        interval = f"95 %: {(latency.low - 1) * 100:+.1f} to {(latency.high - 1) * 100:+.1f} %"
        sentence = f"{change.label}: {(latency.value - 1) * 100:.1f} % slower ({interval}), {limit * 100:g} % allowed"
        yield sentence, change.finding is ChangeVerdict.SLOWER


def _less_accurate(change: Change, limit: float | None) -> Iterator[tuple[str, bool]]:
    accuracy = change.accuracy
    if limit is not None and accuracy is not None and -accuracy.difference.value > limit + 1e-9:
        drop = accuracy.difference
        how = "" if accuracy.p_value is None else f", McNemar p = {accuracy.p_value:.2g}"
        interval = f"95 %: {-drop.high * 100:+.2f} to {-drop.low * 100:+.2f}{how}"
        sentence = f"{change.label}: {-drop.value * 100:.2f} points less accurate ({interval}), {limit * 100:g} allowed"
        yield sentence, not accuracy.is_chance
