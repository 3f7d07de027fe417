"""Seconds from the command `edgecnn train` to its first training step, the data being prepared.

python benchmarks/peers/first_step.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casting_photos import CastingPhotos, casting_photos
from goals import judged
from interleaved import interleave

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare

_ROUNDS = 3


@dataclass(frozen=True)
class FirstStep:
    """Seconds by recipe, as `run.json` holds them in `timings.to_first_step`."""

    seconds: dict[str, Estimate]


def measure_first_step(photos: CastingPhotos, scratch: Path) -> FirstStep:
    """Run the command for one epoch, in a process of its own; signs only where EDGECNN_DATA has them."""
    sets = {"mnist": open_or_prepare("mnist-5000", say=print), "casting": photos.prepared}
    if KNOWN_SETS["signs"].find() is not None:
        sets["signs"] = open_or_prepare("signs", say=print)

    def way(recipe: str, data: Path | None) -> Callable[[], float]:
        folder = RunFolder(scratch / "first" / recipe)
        places = ["--data", str(data), "--output", str(folder.path), "--overwrite"]

        def start() -> float:
            options = ["--epochs", "1", "--quiet"]
            subprocess.run([sys.executable, "-m", "edgecnn", "train", recipe, *places, *options], check=True)
            return float(json.loads(folder.record.read_text())["timings"]["to_first_step"])

        return start

    ways = {recipe: way(recipe, image_set.folder) for recipe, image_set in sets.items()}
    figures = interleave(ways, rounds=_ROUNDS)
    return FirstStep({recipe: median_estimate(values) for recipe, values in figures.items()})


def first_step_lines(first: FirstStep) -> list[str]:
    """Write the figures as Markdown."""
    return [
        "",
        "**From the start of the process to the first training step**, the data being prepared: imports, building, "
        "tracing, one step. Goal: under 6 s.",
        "",
        "| recipe | seconds |",
        "|---|---|",
        *(f"| {recipe} | {figure(seconds)} |" for recipe, seconds in first.seconds.items()),
        *judged({f"6 s for {recipe}": seconds.value < 6 for recipe, seconds in first.seconds.items()}),
    ]


def main() -> None:
    """Measure, and print the lines that `record_training.py` puts on its page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        scratch = Path(folder)
        print(*first_step_lines(measure_first_step(casting_photos(scratch), scratch)), sep="\n")


if __name__ == "__main__":
    main()
