"""The learning rate, epoch by epoch."""

import enum
import math


class Schedule(enum.StrEnum):
    """How the learning rate goes over the epochs of a stage."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"
    COSINE = "cosine"


# Per epoch; of the notebook "Chinese MNIST".
_DECAY = 0.99


def rate_at(schedule: Schedule, epoch: int, *, epochs: int, base: float, warmup: int = 0) -> float:
    """Return the learning rate of an epoch; it depends on nothing else, so a resumed run repeats it.

    Args:
        schedule: `EXPONENTIAL` is `base * 0.99 ** (epoch + epochs)`, as in that notebook; `COSINE` falls from `base` in
            the first epoch along half a cosine (I. Loshchilov, F. Hutter, arXiv:1608.03983, without restarts).
        epoch: 0…epochs - 1.
        epochs: of the whole stage.
        base: the learning rate of the stage.
        warmup: in so many epochs at first the rate rises in equal steps, to `base` in the one after them (P. Goyal et
            al., arXiv:1706.02677); the schedule then takes the epochs that are left.

    >>> rate_at(Schedule.EXPONENTIAL, 0, epochs=5, base=0.001) == 0.001 * 0.99**5
    True
    >>> rate_at(Schedule.COSINE, 5, epochs=10, base=1.0)
    0.5
    >>> [rate_at(Schedule.CONSTANT, epoch, epochs=9, base=1.0, warmup=3) for epoch in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    if epoch < warmup:
        return base * (epoch + 1) / (warmup + 1)
    epoch, epochs = epoch - warmup, epochs - warmup
    match schedule:
        case Schedule.CONSTANT:
            return base
        case Schedule.EXPONENTIAL:
            return float(base * _DECAY ** (epoch + epochs))
        case Schedule.COSINE:
            return base * (1 + math.cos(math.pi * epoch / epochs)) / 2
