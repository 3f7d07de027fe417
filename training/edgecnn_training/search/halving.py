"""Successive halving: many candidates are trained a little, the better third of them three times as long, and so on.

K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
arXiv:1502.07943. These lines stand here in place of a library: Optuna's `SuccessiveHalvingPruner` brings SQLAlchemy and
Alembic, stops trials as they come (its asynchronous form), and counts no time; here whole rungs are compared on the
same images, each within its share of the time, and all that is decided follows from what was kept of each training, so
that a resumed search goes the same way.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

# Of the candidates of a rung one in so many goes on, and is trained so many times as long.
ETA = 3
_RUNGS = 3


class Attempt(Protocol):
    """What a training of a candidate came to."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def merit(self) -> Any:
        """What attempts of a rung are ordered by; the largest is the best."""


_Candidate = TypeVar("_Candidate")
_Attempt = TypeVar("_Attempt", bound=Attempt)


def rung_epochs(epochs: int) -> list[int]:
    """Return the epochs of each rung, of which the last is the whole training.

    >>> rung_epochs(30), rung_epochs(5), rung_epochs(1)
    ([3, 10, 30], [1, 2, 5], [1])
    """
    return sorted({max(1, round(epochs / ETA**number)) for number in range(_RUNGS)})


def halve(
    candidates: Sequence[_Candidate],
    rungs: int,
    *,
    attempt: Callable[[_Candidate, int, int], _Attempt],
    seconds: float,
) -> list[list[tuple[_Candidate, _Attempt]]]:
    """Train candidates rung by rung.

    The time that is left is divided among the rungs that are left. The first rung takes as many candidates as its time
    allows, at least `ETA` of them. Each later one takes the best third of those before, or the best three, so that the
    best is compared with something, as far as there is time for them by what they took; at least one.

    Args:
        candidates: in the order in which they are tried; at least one.
        rungs: how many there are.
        attempt: trains one (candidate, number of the rung from 0, how many the rung has at most).
        seconds: that all trainings may take.

    Returns:
        For each rung what was tried, the best first.
    """
    tried: list[list[tuple[_Candidate, _Attempt]]] = []
    spent = 0.0
    going_on, expected = list(candidates), [0.0] * len(candidates)
    for rung in range(rungs):
        limit = spent + (seconds - spent) / (rungs - rung)
        done: list[tuple[_Candidate, _Attempt]] = []
        for candidate, likely in zip(going_on, expected, strict=True):
            if rung == 0 and done:
                likely = sum(each.seconds for _, each in done) / len(done)
            if len(done) >= (ETA if rung == 0 else 1) and spent + likely > limit:
                break
            done.append((candidate, attempt(candidate, rung, len(going_on))))
            spent += done[-1][1].seconds
        done.sort(key=lambda pair: pair[1].merit, reverse=True)
        tried.append(done)
        best = done[: max(ETA, len(done) // ETA)]
        going_on, expected = [candidate for candidate, _ in best], [ETA * each.seconds for _, each in best]
    return tried
