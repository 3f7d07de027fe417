"""Two benchmarks side by side: two versions, two machines, or the same thing twice."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgecnn_benchmarks.comparing.changes import Change, change_of
from edgecnn_benchmarks.comparing.notes import notes
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow


@dataclass(frozen=True)
class Comparison:
    """What became of each file from the first benchmark to the second."""

    first: BenchResult
    second: BenchResult
    changes: tuple[Change, ...]  # in the order of the first
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    notes: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return the comparison as JSON holds it; names carry units, shares are 0…1."""
        return {
            "first": _side(self.first),
            "second": _side(self.second),
            "files": [_document(change) for change in self.changes],
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
            "notes": list(self.notes),
        }


def compare(first: BenchResult, second: BenchResult) -> Comparison:
    """Compare the files that both benchmarks measured; `pairs` says which belong together."""
    matched = pairs(first.rows, second.rows)
    changes = tuple(change_of(own, theirs, first, second) for own, theirs in matched)
    seen_first, seen_second = (
        {row.name for row in side} for side in (zip(*matched, strict=True) if matched else ((), ()))
    )
    return Comparison(
        first=first,
        second=second,
        changes=changes,
        only_first=tuple(row.name for row in first.rows if row.name not in seen_first),
        only_second=tuple(row.name for row in second.rows if row.name not in seen_second),
        notes=notes(first, second, changes),
    )


def pairs(first: Sequence[BenchRow], second: Sequence[BenchRow]) -> list[tuple[BenchRow, BenchRow]]:
    """Match rows by name, then by the name without the run's, then by format and scheme where that leaves no choice."""
    keys: tuple[Callable[[BenchRow], object], ...] = (
        lambda row: row.name,
        lambda row: row.label,
        lambda row: (row.backend, row.scheme, row.threads, row.batch),
        lambda row: (row.backend, row.scheme),
    )
    found: dict[str, BenchRow] = {}
    for key in keys:
        taken = {row.name for row in found.values()}
        left = [row for row in first if row.name not in found]
        right = [row for row in second if row.name not in taken]
        for row in left:
            alike = [other for other in right if key(other) == key(row)]
            if len(alike) == 1 and sum(key(other) == key(row) for other in left) == 1:
                found[row.name] = alike[0]
    return [(row, found[row.name]) for row in first if row.name in found]


def _side(result: BenchResult) -> dict[str, Any]:
    return {
        "file": str(result.folder / "bench.json"),
        "name": result.name,
        "created": result.created,
        "cpu": result.machine.cpu,
        "edgecnn": result.machine.packages.get("edgecnn"),
    }


def _document(change: Change) -> dict[str, Any]:
    accuracy = change.accuracy
    return {
        "label": change.label,
        "first": change.first.name,
        "second": change.second.name,
        "latency_p50_us": _both(change, lambda row: dataclasses.asdict(row.latency_us.p50)),
        "latency_ratio": dataclasses.asdict(change.latency_ratio),
        "finding": str(change.finding),
        "accuracy": accuracy
        and {
            "first": accuracy.first.value,
            "second": accuracy.second.value,
            "difference": dataclasses.asdict(accuracy.difference),
            "mcnemar_p": accuracy.p_value,
            "explained_by_chance": accuracy.is_chance,
        },
        "size_bytes": _both(change, lambda row: row.size_bytes),
        "peak_memory_bytes": _both(change, lambda row: row.peak_memory_bytes),
        "cold_start_s": _both(change, lambda row: row.cold_start_s and dataclasses.asdict(row.cold_start_s)),
    }


def _both(change: Change, read: Callable[[BenchRow], Any]) -> dict[str, Any]:
    return {"first": read(change.first), "second": read(change.second)}
