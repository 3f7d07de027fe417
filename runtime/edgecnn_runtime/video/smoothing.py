"""From the answers of a stream, frame by frame, to a label that a machine may act on.

One odd frame must open no gate: a label is announced when `min_count` of the last `window` answers name it with a
probability of at least `threshold`. It stays until another is announced, or until it has lacked these votes for `hold`
seconds.
"""

from collections import Counter, deque
from dataclasses import dataclass

from edgecnn_runtime.errors import InputError


@dataclass(frozen=True, slots=True)
class Smoothing:
    """The rules; those given here let a label through that won three of the last five frames.

    Raises:
        InputError: a value out of its range.
    """

    window: int = 5  # answers that vote, the latest
    min_count: int = 3  # votes that a label needs
    threshold: float = 0.0  # probability, 0…1, below which an answer votes for nothing
    hold: float = 0.0  # seconds that a label stays after it lost its votes

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"window: expected at least 1, got {self.window}")
        if not 1 <= self.min_count <= self.window:
            raise InputError(f"min_count: expected 1 … {self.window} (the window), got {self.min_count}")
        if not 0 <= self.threshold <= 1:
            raise InputError(f"threshold: expected a probability 0 … 1, got {self.threshold}")
        if not 0 <= self.hold < float("inf"):
            raise InputError(f"hold: expected seconds, 0 or more, got {self.hold}")


# Every answer as it is.
NO_SMOOTHING = Smoothing(window=1, min_count=1)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The label that is announced, if one is."""

    label: str | None
    since: float | None  # the second it was announced, or given up; None before the first
    changed: bool  # whether this answer announced it, or gave the last one up


class Smoother:
    """Applies the rules to one stream; times are seconds of any clock that does not go back.

    >>> smoother = Smoother(Smoothing(window=3, min_count=2))
    >>> [smoother.add(label, 0.9, time=second).label for second, label in enumerate("aabaab")]
    [None, 'a', 'a', 'a', 'a', 'a']
    """

    def __init__(self, rules: Smoothing) -> None:
        """Start with no label."""
        self.rules = rules
        self._votes: deque[str | None] = deque(maxlen=rules.window)
        self._label: str | None = None
        self._since: float | None = None
        # When the announced label last had its votes.
        self._supported = 0.0

    def add(self, label: str, probability: float, *, time: float) -> Smoothed:
        """Take one answer; a probability that is not a number votes for nothing."""
        self._votes.append(label if probability >= self.rules.threshold else None)
        return self._settle(time)

    def pass_time(self, time: float) -> Smoothed:
        """Let time go by without an answer, as while a camera is gone; what is held may run out."""
        return self._settle(time)

    def forget(self) -> None:
        """Drop the votes, because what comes next has nothing to do with what was; the label stays for its hold."""
        self._votes.clear()

    def _settle(self, time: float) -> Smoothed:
        winner = self._winner()
        if winner is not None:
            self._supported = time
        elif self._label is not None and time - self._supported < self.rules.hold:
            winner = self._label
        changed = winner != self._label
        if changed:
            self._label, self._since = winner, time
        return Smoothed(self._label, self._since, changed)

    def _winner(self) -> str | None:
        """Return the label with the most votes, if they are enough; of equals the announced one, then the latest."""
        counts = Counter(vote for vote in self._votes if vote is not None)
        enough = max(counts.values(), default=0)
        if enough < self.rules.min_count:
            return None
        winners = {label for label, count in counts.items() if count == enough}
        if self._label in winners:
            return self._label
        return next(vote for vote in reversed(self._votes) if vote in winners)
