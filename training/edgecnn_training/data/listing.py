"""Names in a message: how many, and the first few."""

from collections.abc import Sequence

# A warning that names more is not read.
_NAMED = 5


def listed(names: Sequence[str]) -> str:
    """Count names and show the first ones.

    >>> listed(["a.png", "b.png"])
    '2 (a.png, b.png)'
    >>> listed([f"{number}.png" for number in range(7)])
    '7 (0.png, 1.png, 2.png, 3.png, 4.png, …)'
    """
    shown = ", ".join(names[:_NAMED])
    return f"{len(names):,} ({shown}{', …' if len(names) > _NAMED else ''})"
