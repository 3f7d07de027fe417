"""What the notebooks' own training loops reached here, kept in `benchmarks/notebook_runs.jsonl`, a line a run."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.system import atomic_files

KEPT = Path(__file__).parents[1] / "notebook_runs.jsonl"


@dataclass(frozen=True)
class LoopRun:
    """One run of a notebook's loop. Scores are of the test images, 0…1; times are in seconds."""

    loop: str
    seed: int
    accuracy: float
    weighted_f1: float
    images: int  # of the test split
    epochs: int
    seconds_an_epoch: float  # the median, with validation
    seconds: float  # of everything that trains: the epochs, and the features where they are computed once
    keras: str
    # The F1 the notebook would print, where it reads something other than the test images.
    notebooks_own_f1: float | None = None
    # Who ran it, where it was not this script.
    whence: str = ""


def read_runs(path: Path = KEPT) -> list[LoopRun]:
    """Read the kept runs; none where the file does not exist.

    Raises:
        DataError: a line is not a run.
    """
    if not path.exists():
        return []
    runs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            runs.append(LoopRun(**json.loads(line)))
        except (TypeError, ValueError) as problem:
            raise DataError(
                f"{path}, line {number}: expected a run of a notebook's loop, got {line[:60]!r} ({problem}); "
                "remove the line, and notebook_loops.py trains that run again"
            ) from problem
    return runs


def keep(run: LoopRun, path: Path = KEPT) -> None:
    """Add a run to the file, or put it in the place of the one with the same loop and seed."""
    others = [kept for kept in read_runs(path) if (kept.loop, kept.seed) != (run.loop, run.seed)]
    ordered = sorted([*others, run], key=lambda kept: (kept.loop, kept.seed))
    lines = (json.dumps(asdict(kept), ensure_ascii=False) for kept in ordered)
    atomic_files.write_text(path, "\n".join(lines) + "\n")


def spread(values: Sequence[float]) -> str:
    """Write the median, and in brackets the lowest and the highest; of one value only that.

    >>> spread([0.9, 0.8, 0.95]), spread([0.9])
    ('0.9000 (0.8000 … 0.9500)', '0.9000')
    """
    median = f"{statistics.median(values):.4f}"
    return median if len(values) == 1 else f"{median} ({min(values):.4f} … {max(values):.4f})"
