"""Train recipes with several seeds and write what they reach on the test images to `benchmarks/SCORES.md`.

    make scores                                               # hours on two cores; a finished run is not repeated
    python benchmarks/peers/training_scores.py signs casting  # these only

Each run is `edgecnn train RECIPE --seed N --resume` in a process of its own, and stays in `runs/scores`; the run of
median score is exported to int8. The page is made from the runs that are finished there, so it can grow over days.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from redrawn_symbols import COUNT, DRAWINGS, redrawn_accuracy

from edgecnn_benchmarks.machine import describe_machine
from edgecnn_benchmarks.quantities import size
from edgecnn_runtime import whole_files
from edgecnn_runtime.run_folder import RunFolder
from edgecnn_training.recipes import list_recipes

SCORES = Path(__file__).parents[1] / "SCORES.md"

# What the five notebooks print for the same data, by recipe, and of which score.
NOTEBOOK = {
    "mnist": "0.9915",
    "signs": "0.775",
    "casting": "F1 0.79 … 0.92",
    "casting-augmented": "F1 0.95",
    "casting-mobilenetv2": "F1 0.94",
    "symbols": "0.5",
}


@dataclass(frozen=True)
class Score:
    """What one run reached on the test images, which it read once, at its end."""

    run: RunFolder
    accuracy: float
    weighted_f1: float
    images: int
    epochs: float  # seconds

    @classmethod
    def of(cls, run: RunFolder) -> "Score":
        """Read a finished run."""
        metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
        seconds = float(run.read_record().timings["epochs"])
        return cls(run, metrics["accuracy"]["value"], metrics["weighted_f1"], metrics["images"], seconds)


def main() -> None:
    """Train what is missing, then write the page of everything that is finished."""
    names = [recipe.name for recipe in list_recipes() if recipe.data is not None]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", help=f"default: {' '.join(names)}")
    parser.add_argument("--seeds", type=int, default=5, help="how many runs of each; 0 trains nothing")
    parser.add_argument("--runs", type=Path, default=Path("runs/scores"))
    parser.add_argument("--output", type=Path, default=SCORES)
    parser.add_argument("--option", action="append", default=[], help="one more word for 'edgecnn train'")
    arguments = parser.parse_args()
    for name in arguments.recipes or names:
        for seed in range(arguments.seeds):
            _edgecnn(
                "train",
                name,
                "--seed",
                str(seed),
                "--output",
                str(arguments.runs / f"{name}-{seed}"),
                "--resume",
                *arguments.option,
            )
    rows = []
    for name in names:
        runs = (RunFolder(path) for path in sorted(arguments.runs.glob(f"{name}-[0-9]*")))
        scores = [Score.of(run) for run in runs if run.record.exists()]
        if scores:
            rows.append(_row(name, scores))
    page = [*_head(), *rows, *_redrawn(arguments.runs)]
    whole_files.write_text(arguments.output, "\n".join(page) + "\n")
    print(f"written: {arguments.output}")


def _row(name: str, scores: list[Score]) -> str:
    """Write a line of the table: of several seeds the median, and in brackets the lowest and the highest."""
    middle = sorted(scores, key=lambda score: score.accuracy)[len(scores) // 2]
    cells = (
        f"`{name}`",
        str(len(scores)),
        f"{middle.images:,}",
        _spread([score.accuracy for score in scores]),
        _spread([score.weighted_f1 for score in scores]),
        NOTEBOOK.get(name, ""),
        _int8(middle),
        f"{statistics.median(score.epochs for score in scores):.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def _redrawn(runs: Path) -> list[str]:
    """Show the three drawings of the symbols anew to each run that was trained on them, where they are at hand."""
    drawings = Path(os.environ.get("EDGECNN_DATA", "")) / "symbols"
    if not all((drawings / file).is_file() for file in DRAWINGS.values()):
        return []
    rows = []
    for name in (recipe.name for recipe in list_recipes() if recipe.data == "symbols"):
        trained = [path for path in sorted(runs.glob(f"{name}-[0-9]*")) if RunFolder(path).record.exists()]
        if trained:
            rows.append(f"| `{name}` | {_spread([redrawn_accuracy(path, drawings) for path in trained])} |")
    return [
        "",
        f"## {COUNT * len(DRAWINGS)} redrawn symbols",
        "",
        "C1, L1 and R1 turned by any angle, at half to full size, anywhere in the image (`redrawn_symbols.py`). The",
        "test split of symbols has 12 images.",
        "",
        "| recipe | accuracy |",
        "|---|---|",
        *rows,
    ]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4f} ({min(values):.4f} … {max(values):.4f})"


def _int8(score: Score) -> str:
    """Export a run to int8, and tell the size of the file and how many points it loses on the test images."""
    if not score.run.exported("int8", ".tflite").exists():
        # Whatever it loses; the gate would not keep the file.
        _edgecnn("export", str(score.run.path), "--format", "tflite-int8", "--max-drop", "100")
    index = json.loads((score.run.export / "export.json").read_text(encoding="utf-8"))
    (entry,) = (entry for entry in index["files"] if entry["format"] == "tflite-int8")
    return f"{size(entry['bytes'])}, {-entry['drop_points']:+.2f}"


def _edgecnn(*words: str) -> None:
    """Run a command of edgecnn and wait for it."""
    print("edgecnn", *words, flush=True)
    subprocess.run([sys.executable, "-m", "edgecnn", *words, "--quiet"], check=True)


def _head() -> list[str]:
    machine = describe_machine()
    return [
        "# Scores on real data",
        "",
        "Written by `make scores` (`benchmarks/peers/training_scores.py`); do not edit by hand. Each row is one",
        "command, `edgecnn train RECIPE --seed N`, with several seeds: the median, in brackets the lowest and the",
        "highest. The best epoch is chosen on validation images that are never trained on, and the test images are",
        "read once, at the end; the notebooks whose figures stand beside it did neither. int8 is the full-integer",
        "TFLite file of the median run and the points of accuracy it gains or loses. Seconds are of all epochs of a",
        "run.",
        "",
        "Leaks that every row of the same data shares: 12 of the 120 test images of signs are in its training file as",
        "JPEG copies, and casting holds mirrored and rotated copies of one part in both splits.",
        "",
        f"Machine: {machine.cpu}, {machine.available_cpus} processors.",
        "",
        "| recipe | runs | test images | accuracy | weighted F1 | notebook prints | int8 file, points | training |",
        "|---|---|---|---|---|---|---|---|",
    ]


if __name__ == "__main__":
    main()
