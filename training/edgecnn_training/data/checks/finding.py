"""What is found wrong with an image set."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_training.data.listing import listed


class FindingKind(enum.StrEnum):
    """What a finding is about."""

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

    >>> print(Finding(Kind.UNREADABLE, "train: images that cannot be read", ["a.png", "b.png"]))
    train: images that cannot be read: 2 (a.png, b.png)
    """

    kind: FindingKind
    text: str
    cases: Sequence[str] = ()  # each one, named; empty where the text says it all

    def __str__(self) -> str:
        return f"{self.text}: {listed(self.cases)}" if self.cases else self.text
