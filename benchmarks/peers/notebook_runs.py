"""What the notebooks' own training loops reached here, kept in `benchmarks/notebook_runs.jsonl`, a line a run."""

from dataclasses import dataclass
from pathlib import Path

from kept_lines import read_lines, write_lines

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

    @property
    def key(self) -> tuple[str, int]:
        """What was run; one a loop and seed is kept."""
        return self.loop, self.seed


def read_runs(path: Path = KEPT) -> list[LoopRun]:
    """Read the kept runs; none where the file does not exist.

    Raises:
        DataError: a line is not a run.
    """
    return read_lines(path, LoopRun, what="a run of a notebook's loop", again="notebook_loops.py")


def keep(run: LoopRun, path: Path = KEPT) -> None:
    """Add a run to the file, or put it in the place of the one with the same loop and seed."""
    write_lines(path, read_runs(path), run)
