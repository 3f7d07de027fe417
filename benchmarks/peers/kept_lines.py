"""Measured runs kept in a file of JSON lines, so that a measurement which is stopped goes on where it was."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.system import atomic_files


class Keyed(Protocol):
    """A frozen dataclass of plain values that is known by its `key`, of which a file holds one each."""

    @property
    def key(self) -> tuple[str | int, ...]:
        """What was run; the lines are sorted by it."""


R = TypeVar("R", bound=Keyed)


def read_lines(path: Path, kind: type[R], *, what: str, again: str) -> list[R]:
    """Read the kept runs; none where the file does not exist.

    Raises:
        DataError: a line is no run; `what` names what it should be, `again` the script that makes it again.
    """
    if not path.exists():
        return []
    runs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            runs.append(kind(**json.loads(line)))
        except (TypeError, ValueError) as problem:
            raise DataError(
                f"{path}, line {number}: expected {what}, got {line[:60]!r} ({problem}); "
                f"remove the line, and {again} trains that run again"
            ) from problem
    return runs


def write_lines(path: Path, kept: Sequence[Keyed], added: Keyed) -> None:
    """Write the kept runs and one more, which takes the place of that with the same key."""
    others = [run for run in kept if run.key != added.key]
    lines = (json.dumps(_values(run), ensure_ascii=False) for run in sorted([*others, added], key=lambda run: run.key))
    atomic_files.write_text(path, "\n".join(lines) + "\n")


def _values(run: Any) -> dict[str, Any]:
    return asdict(run)


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Write the median, and in brackets the lowest and the highest; of one value only that.

    >>> spread([0.9, 0.8, 0.95]), spread([0.9])
    ('0.9000 (0.8000 … 0.9500)', '0.9000')
    """
    median = f"{statistics.median(values):.{digits}f}"
    return median if len(values) == 1 else f"{median} ({min(values):.{digits}f} … {max(values):.{digits}f})"
