"""Train recipes with several seeds and write what they reach on the test images to `benchmarks/SCORES.md`.

    make scores                                               # hours on two cores; a finished run is not repeated
    python benchmarks/peers/training_scores.py signs casting  # these only

Each run is `edgecnn train RECIPE --seed N --resume` in a process of its own, and stays in `runs/scores`; the run of
median score is exported to int8. The page is made from the runs that are finished there, so it can grow over days; one
that is of more runs than that is not overwritten.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kept_lines import spread
from notebook_runs import KEPT, LoopRun, read_runs
from redrawn_symbols import COUNT, DRAWINGS, redrawn_accuracy

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_benchmarks.statistics.quantities import size
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.run_folder import RunFolder

SCORES = Path(__file__).parents[1] / "SCORES.md"
MISSED = ", **missed**"
MOST_INT8_POINTS = 1.0


@dataclass(frozen=True)
class Entry:
    """A row of the page."""

    name: str  # of the folders of its runs, without the seed
    recipe: str
    options: tuple[str, ...] = ()
    notebook: str = ""  # what the notebook prints for the same data
    loop: str = ""  # of notebook_runs, the notebook's training of the same network

    @property
    def title(self) -> str:
        """What the row begins with: the recipe and its options."""
        return " ".join((self.recipe, *self.options))


# The second MNIST figure of the notebook is of another optimizer than it shows; a share of 0.01 leaves 59,400 images
# to train on, where the notebook trains on all 60,000 and chooses by the test images.
ENTRIES = (
    Entry("mnist", "mnist", notebook="0.9915"),
    Entry(
        "mnist-sgd",
        "mnist",
        ("--optimizer", "sgd", "--learning-rate", "0.01", "--batch-size", "32", "--validation-fraction", "0.01"),
        notebook="0.9860",
        loop="mnist",
    ),
    Entry("mnist-plus", "mnist-plus"),
    Entry("signs", "signs", notebook="0.775"),
    Entry("signs-plus", "signs-plus"),
    Entry("chinese-mnist", "chinese-mnist", loop="chinese-mnist"),
    Entry("chinese-mnist-plus", "chinese-mnist-plus"),
    # Behind the scaling that the notebook forgot, as the recipe is.
    Entry("casting", "casting", notebook="F1 0.79 … 0.92", loop="casting-tf-rescaled"),
    Entry("casting-augmented", "casting-augmented", notebook="F1 0.95", loop="casting-augment"),
    Entry("casting-binary", "casting-binary"),
    Entry("casting-mobilenetv2", "casting-mobilenetv2", notebook="F1 0.94", loop="casting-mobilenetv2-features"),
    Entry("casting-plus", "casting-plus"),
    Entry("symbols", "symbols", notebook="0.5"),
    Entry("symbols-plus", "symbols-plus"),
)


@dataclass(frozen=True)
class Score:
    """What one run reached on the test images, which it read once, at its end."""

    run: RunFolder
    accuracy: float
    weighted_f1: float
    images: int
    # Without the test images that are also in the training images, or nearly so; None where there are none.
    clean_accuracy: float | None
    clean_images: int

    @classmethod
    def of(cls, run: RunFolder) -> "Score":
        """Read a finished run."""
        metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
        clean = metrics.get("without_copies")
        return cls(
            run=run,
            accuracy=metrics["accuracy"]["value"],
            weighted_f1=metrics["weighted_f1"],
            images=metrics["images"],
            clean_accuracy=clean["accuracy"]["value"] if clean else None,
            clean_images=clean["images"] if clean else metrics["images"],
        )


def main() -> None:
    """Train what is missing, then write the page of everything that is finished."""
    names = [entry.name for entry in ENTRIES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help=f"default: all, {' '.join(names)}")
    parser.add_argument("--seeds", type=int, default=5, help="how many runs of each; 0 trains nothing")
    parser.add_argument("--runs", type=Path, default=Path("runs/scores"))
    parser.add_argument(
        "--notebooks", type=Path, default=KEPT, help="what notebook_loops.py has kept (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=SCORES)
    arguments = parser.parse_args()
    if unknown := set(arguments.entries) - set(names):
        parser.error(f"expected among {', '.join(names)}, got {', '.join(unknown)}")
    chosen = [entry for entry in ENTRIES if entry.name in (arguments.entries or names)]
    if lost := _lost_by(arguments.output, chosen, arguments.seeds, arguments.runs):
        sys.exit(
            f"{arguments.output}: expected as many runs of {', '.join(lost)} in {arguments.runs} as the page is of, "
            "got fewer; train them too, or write another page with --output"
        )
    for entry in chosen:
        for seed in range(arguments.seeds):
            _train_entry(entry, seed, arguments.runs)
    finished = {entry: finished_scores(arguments.runs, entry) for entry in ENTRIES}
    loops = read_runs(arguments.notebooks)
    rows = [_row(entry, scores, loops) for entry, scores in finished.items() if scores]
    page = [*_head(), *rows, *_redrawn(finished)]
    atomic_files.write_text(arguments.output, "\n".join(page) + "\n")
    print(f"written: {arguments.output}")


def _lost_by(page: Path, chosen: Sequence[Entry], seeds: int, runs: Path) -> list[str]:
    """Name the rows of a page that are of more runs than there are, those included that are still to be trained."""
    rows = read_rows(page)
    there = {entry: {score.run.name for score in finished_scores(runs, entry)} for entry in ENTRIES}
    for entry in chosen:
        there[entry] |= {_folder(runs, entry, seed).name for seed in range(seeds)}
    return [entry.name for entry in ENTRIES if entry.title in rows and int(rows[entry.title].runs) > len(there[entry])]


@dataclass(frozen=True)
class Row:
    """What a line of the page says, as text."""

    runs: str
    accuracy: str
    weighted_f1: str


def read_rows(page: Path) -> dict[str, Row]:
    """Read the first table of a page, by the titles of its rows; nothing where there is no page."""
    if not page.exists():
        return {}
    table, _, _ = page.read_text(encoding="utf-8").partition("\n## ")
    lines = (line for line in table.splitlines() if line.startswith("| `"))
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {title.strip("`"): Row(runs, accuracy, f1) for title, runs, _, accuracy, f1, *_ in cells}


def _folder(runs: Path, entry: Entry, seed: int) -> Path:
    return runs / f"{entry.name}-{seed}"


def _train_entry(entry: Entry, seed: int, runs: Path) -> None:
    """Train a row's run of one seed into `runs`, or go on with it; a finished one is left as it is."""
    folder = str(_folder(runs, entry, seed))
    _edgecnn("train", entry.recipe, "--seed", str(seed), "--output", folder, "--resume", *entry.options)


def finished_scores(runs: Path, entry: Entry) -> list[Score]:
    """Read the finished runs of a row."""
    folders = (RunFolder(path) for path in sorted(runs.glob(f"{entry.name}-[0-9]*")))
    return [Score.of(folder) for folder in folders if folder.record.exists()]


def _row(entry: Entry, scores: list[Score], loops: Sequence[LoopRun]) -> str:
    """Write a line of the table: of several seeds the median, and in brackets the lowest and the highest."""
    middle = sorted(scores, key=lambda score: score.accuracy)[len(scores) // 2]
    cells = (
        f"`{entry.title}`",
        str(len(scores)),
        f"{middle.images:,}",
        spread([score.accuracy for score in scores]),
        spread([score.weighted_f1 for score in scores]),
        _clean(scores),
        _beside_notebook(entry, middle),
        _notebook_here(entry, loops),
        _int8(middle),
    )
    return f"| {' | '.join(cells)} |"


def _beside_notebook(entry: Entry, middle: Score) -> str:
    """Tell what the notebook prints, and whether the median run stays below it: below its last digit, or its best."""
    if not entry.notebook:
        return ""
    printed = entry.notebook.split()[-1]
    reached = middle.weighted_f1 if entry.notebook.startswith("F1") else middle.accuracy
    digits = len(printed.partition(".")[2])
    return entry.notebook + (MISSED if round(reached, digits) < float(printed) else "")


def _clean(scores: list[Score]) -> str:
    accuracies = [score.clean_accuracy for score in scores if score.clean_accuracy is not None]
    return f"{spread(accuracies)} of {scores[0].clean_images:,}" if accuracies else ""


def _notebook_here(entry: Entry, loops: Sequence[LoopRun]) -> str:
    """Tell what the notebook's own loop reaches here, in the figure that the notebook prints."""
    own = [run for run in loops if run.loop == entry.loop]
    if not own:
        return ""
    if entry.loop.startswith("casting"):
        return f"F1 {spread([run.weighted_f1 for run in own])} of {len(own)}"
    return f"{spread([run.accuracy for run in own])} of {len(own)}"


def _int8(score: Score) -> str:
    """Export a run to int8, and tell the size of the file and how many points it loses on the test images."""
    if not score.run.exported("int8", ".tflite").exists():
        # Whatever it loses; the gate would not keep the file.
        _edgecnn("export", str(score.run.path), "--format", "tflite-int8", "--max-drop", "100")
    index = json.loads((score.run.export / "export.json").read_text(encoding="utf-8"))
    (entry,) = (entry for entry in index["files"] if entry["format"] == "tflite-int8")
    missed = MISSED if entry["drop_points"] > MOST_INT8_POINTS else ""
    return f"{size(entry['bytes'])}, {0 - entry['drop_points']:+.2f}{missed}"


def _redrawn(finished: Mapping[Entry, list[Score]]) -> list[str]:
    """Show the three drawings of the symbols anew to each run that was trained on them, where they are at hand."""
    drawings = Path(os.environ.get("EDGECNN_DATA", "")) / "symbols"
    if not all((drawings / file).is_file() for file in DRAWINGS.values()):
        return []
    rows = []
    for entry, scores in finished.items():
        if scores and entry.recipe.startswith("symbols"):
            accuracies = [redrawn_accuracy(score.run.path, drawings) for score in scores]
            rows.append(f"| `{entry.recipe}` | {spread(accuracies)} |")
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
        "read once, at the end; the notebooks did neither. int8 is the full-integer TFLite file of the median run and",
        "the points of accuracy it gains or loses. How fast training is stands in TRAINING.md. Goals: at least what",
        f"the notebook prints, and at most {MOST_INT8_POINTS:g} point lost by int8; where one is missed, it says so.",
        "",
        "Test images that are also in the training images, or nearly so, flatter a score: signs has photos that are in",
        "its training file as JPEG copies, casting mirrored and rotated copies of one part in both splits. The",
        "accuracy without those that were found stands beside it.",
        "",
        "Beside what the notebook prints stands what its own loop reaches here: the median, the lowest and the highest",
        "of N seeds (`make notebooks`, NOTEBOOKS.md).",
        "",
        f"Machine: {machine.cpu}, {machine.available_cpus} processors.",
        "",
        "| recipe | runs | images | accuracy | weighted F1 | without copies | notebook | its own loop here "
        "| int8, points |",
        "|---|---|---|---|---|---|---|---|---|",
    ]


if __name__ == "__main__":
    main()
