"""Check an image set for what makes a score worthless: faults of files, of labels, and copies across splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.checks.examine import Examined, examine
from edgecnn_training.data.checks.inspection import class_warnings
from edgecnn_training.data.checks.near_identical import Pair, near_identical
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.source import RawImageSet

# Where this share of the images is of one size or mode, the others are odd.
_USUAL = 0.9

# Called with the steps done, their number, and what is done.
ReportChecked = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CheckResult:
    """What an image set holds, and what is wrong with it."""

    labels: tuple[str, ...]
    # By split, the number of images that can be read of each class.
    classes: Mapping[str, tuple[int, ...]]
    # The number of images of each size, "64x64" (width x height), and of each mode, the commonest first.
    sizes: Mapping[str, int]
    modes: Mapping[str, int]
    findings: tuple[Finding, ...]


def check(source: RawImageSet, *, report: ReportChecked | None = None) -> CheckResult:
    """Read every image of a source and look for faults.

    Args:
        source: what is checked.
        report: called now and then.

    Raises:
        DataError: not one image can be read.
    """
    examined = examine(source, report=report)
    if not any(part.files for part in examined.values()):
        first = next(reason for part in examined.values() for reason in part.unreadable)
        raise DataError(
            f"expected {len(source):,} images, of which Pillow reads some, got none that it reads; the first: {first}"
        )
    return CheckResult(
        labels=source.labels,
        classes={
            name: tuple(np.bincount(part.labels, minlength=len(source.labels)).tolist())
            for name, part in examined.items()
        },
        sizes=_counted(f"{looks.width}x{looks.height}" for part in examined.values() for looks in part.looks),
        modes=_counted(looks.mode for part in examined.values() for looks in part.looks),
        findings=(
            *source.findings,
            *_unreadable(examined),
            *_odd(examined),
            *_unbalanced(examined, source.labels),
            *_copies(examined, source.labels, report),
        ),
    )


def _counted(values: Iterator[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _unreadable(examined: Mapping[str, Examined]) -> Iterator[Finding]:
    for name, part in examined.items():
        if part.unreadable:
            yield Finding(FindingKind.UNREADABLE, f"{name}: images that cannot be read", part.unreadable)


def _odd(examined: Mapping[str, Examined]) -> Iterator[Finding]:
    """Yield the images of another size or mode than nearly all have."""
    looks = [(file, looks) for part in examined.values() for file, looks in zip(part.files, part.looks, strict=True)]
    for kind, word, values in (
        (FindingKind.SIZE, "size", [f"{look.width}x{look.height}" for _, look in looks]),
        (FindingKind.MODE, "mode", [look.mode for _, look in looks]),
    ):
        usual, count = Counter(values).most_common(1)[0]
        odd = [f"{file} {value}" for (file, _), value in zip(looks, values, strict=True) if value != usual]
        if odd and count >= _USUAL * len(values):
            yield Finding(kind, f"images of another {word} than {usual}", odd)
        # Photos come in many sizes; in many modes only by accident.
        elif odd and kind is FindingKind.MODE:
            yield Finding(kind, "images of several modes, of which none is usual; the commonest is " + usual, odd)


def _unbalanced(examined: Mapping[str, Examined], labels: tuple[str, ...]) -> Iterator[Finding]:
    for name, part in examined.items():
        for sentence in class_warnings(name, labels, part.labels):
            yield Finding(FindingKind.BALANCE, sentence)


@dataclass(frozen=True)
class _Places:
    """All images that can be read, split after split, so that positions say which comes first."""

    splits: list[str]
    files: list[str]
    labels: list[str]
    digests: list[bytes]

    @classmethod
    def of(cls, examined: Mapping[str, Examined], labels: tuple[str, ...]) -> "_Places":
        parts = list(examined.items())
        return cls(
            splits=[name for name, part in parts for _ in part.files],
            files=[file for _, part in parts for file in part.files],
            labels=[labels[number] for _, part in parts for number in part.labels.tolist()],
            digests=[looks.digest for _, part in parts for looks in part.looks],
        )


def _copies(
    examined: Mapping[str, Examined], labels: tuple[str, ...], report: ReportChecked | None
) -> Iterator[Finding]:
    places = _Places.of(examined, labels)
    # The earliest image of the same bytes, its own position where there is none.
    earliest: dict[bytes, int] = {}
    originals = [earliest.setdefault(digest, position) for position, digest in enumerate(places.digests)]
    identical = [(original, copy) for copy, original in enumerate(originals) if original != copy]
    contradictions = [
        f"{places.files[copy]} ({places.labels[copy]}) = {places.files[original]} ({places.labels[original]})"
        for original, copy in identical
        if places.labels[original] != places.labels[copy]
    ]
    if contradictions:
        yield Finding(FindingKind.CONTRADICTION, "byte-identical images with two labels", contradictions)
    yield from _copies_by_split(
        FindingKind.IDENTICAL,
        "byte-identical",
        places,
        {
            (original, copy): f"{places.files[copy]} = {places.files[original]}"
            for digest_copies in _positions_by_digest(places.digests)
            for original, copy in _with_earlier_ones(digest_copies, places.splits)
        },
    )

    # One image of each content is enough to be compared with the others.
    unique = sorted(earliest.values())
    thumbnails = np.concatenate([part.thumbnails for part in examined.values()])[unique]
    numbers = {name: number for number, name in enumerate(examined)}
    pairs = near_identical(
        thumbnails,
        once_per=np.array([numbers[places.splits[position]] for position in unique], np.int64),
        report=None if report is None else lambda done, total: report(done, total, "comparing"),
    )
    yield from _copies_by_split(
        FindingKind.NEAR_IDENTICAL,
        "near-identical",
        places,
        {(unique[pair.first], unique[pair.second]): _pair_text(places, unique, pair) for pair in pairs},
    )


def _positions_by_digest(digests: list[bytes]) -> list[list[int]]:
    positions: dict[bytes, list[int]] = {}
    for position, digest in enumerate(digests):
        positions.setdefault(digest, []).append(position)
    return list(positions.values())


def _with_earlier_ones(copies: list[int], splits: list[str]) -> Iterator[tuple[int, int]]:
    """Yield each copy with the first one before it in every split; all pairs of 5,000 would be millions."""
    first_of: dict[str, int] = {}
    for copy in copies:
        for original in first_of.values():
            yield original, copy
        first_of.setdefault(splits[copy], copy)


def _pair_text(places: _Places, unique: list[int], pair: Pair) -> str:
    first, second = places.files[unique[pair.first]], places.files[unique[pair.second]]
    return f"{second} = {first} {pair.orientation} (correlation {pair.correlation:.3f})"


def _copies_by_split(
    kind: FindingKind, word: str, places: _Places, pairs: Mapping[tuple[int, int], str]
) -> Iterator[Finding]:
    """Yield for each two splits, and within each, the images that have a copy earlier: one case an image."""
    by_splits: dict[tuple[str, str], dict[int, str]] = {}
    for (first, second), text in pairs.items():
        by_splits.setdefault((places.splits[first], places.splits[second]), {}).setdefault(second, text)
    # Across splits first: these make a score too good.
    for first_split, second_split in sorted(by_splits, key=lambda splits: splits[0] == splits[1]):
        cases = list(by_splits[first_split, second_split].values())
        if first_split == second_split:
            text = f"{second_split}: images that are {word} to an earlier one of the split"
        else:
            text = f"{second_split}: images that are {word} to one in {first_split}, which flatters a score"
        yield Finding(kind, text, cases)
