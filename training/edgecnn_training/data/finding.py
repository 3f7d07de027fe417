"""What is found wrong with an image set, and the names in its sentence."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

# A warning that names more is not read.
_NAMED = 5


def named(names: Sequence[str]) -> str:
    """Show the first names.

    >>> named([f"{number}.png" for number in range(7)])
    '0.png, 1.png, 2.png, 3.png, 4.png, …'
    """
    return ", ".join([*names[:_NAMED], "…"] if len(names) > _NAMED else names)


def listed(names: Sequence[str]) -> str:
    """Count names and show the first ones.

    >>> listed(["a.png", "b.png"])
    '2 (a.png, b.png)'
    """
    return f"{len(names):,} ({named(names)})"


class FindingKind(enum.StrEnum):
    """What a finding is about."""

    UNTRAINABLE = "untrainable"  # nothing can be trained on the set as it is
    MISSING_VALUE = "missing-value"  # a label that is missing, contradictory or no label
    FILE_WITHOUT_LABEL = "file-without-label"
    LABEL_WITHOUT_FILE = "label-without-file"
    LEFT_OUT = "left-out"  # a file or folder that is no part of the set
    UNREADABLE = "unreadable"
    SIZE = "size"
    MODE = "mode"
    BALANCE = "balance"
    IDENTICAL = "identical"  # byte for byte
    CONTRADICTION = "contradiction"  # byte for byte, under two labels
    NEAR_IDENTICAL = "near-identical"


@dataclass(frozen=True)
class Finding:
    """One kind of fault, how often it occurs, and where.

    >>> print(Finding(FindingKind.UNREADABLE, "train: images that cannot be read", ["a.png", "b.png"]))
    train: images that cannot be read: 2 (a.png, b.png)
    """

    kind: FindingKind
    text: str
    cases: Sequence[str] = ()  # each one, named; empty where the text says it all

    def __str__(self) -> str:
        return f"{self.text}: {listed(self.cases)}" if self.cases else self.text
