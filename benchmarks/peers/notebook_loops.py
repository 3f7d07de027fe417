"""Train the notebooks' own loops beside edgecnn's recipes and write both to `benchmarks/NOTEBOOKS.md`.

    make notebooks                                             # hours on two cores; a finished run is not repeated
    python benchmarks/peers/notebook_loops.py casting-keras    # this loop only
    python benchmarks/peers/notebook_loops.py --seeds 0        # trains nothing, writes the page of what is kept

Needs scikit-image and scikit-learn (pip install scikit-image scikit-learn) and the images in $EDGECNN_DATA. Each run is
a process of its own; what it reached is kept in `benchmarks/notebook_runs.jsonl`. What edgecnn reaches is that of
`benchmarks/SCORES.md`. So the page is made anew from what the repository holds.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from kept_lines import spread
from notebook_epochs import EPOCHS, EpochsMeasured, epoch_lines, keep_epochs, measure_epochs, read_epochs
from notebook_runs import KEPT, LoopRun, keep, read_runs
from training_scores import ENTRIES, SCORES, Row, read_rows

from edgecnn_runtime.errors import DataError, EdgecnnError
from edgecnn_runtime.system import atomic_files
from edgecnn_training.data.known_sets import KNOWN_SETS

PAGE = Path(__file__).parents[1] / "NOTEBOOKS.md"


@dataclass(frozen=True)
class Loop:
    """One of the notebooks' trainings."""

    name: str
    data: str  # of KNOWN_SETS
    described: str
    entry: str  # of training_scores, which trains the same network
    better: str  # of training_scores, which trains what edgecnn recommends for these images
    notebook: str = ""  # what it prints: weighted F1 or accuracy, and minutes:seconds on its GPU


# The first five are the rows of the casting notebook's closing table, in its order.
LOOPS = (
    Loop("casting-keras", "casting", "ImageDataGenerator, CNN", "casting", "casting-plus", "F1 0.92, 1:00"),
    Loop("casting-tf", "casting", "image_dataset_from_directory, CNN", "casting", "casting-plus", "F1 0.79, 0:39"),
    Loop("casting-skimage", "casting", "scikit-image, CNN", "casting", "casting-plus", "F1 1.00, 0:47"),
    Loop(
        "casting-augment",
        "casting",
        "image_dataset_from_directory, CNN behind flips, contrast, rotation",
        "casting-augmented",
        "casting-plus",
        "F1 0.95, 2:04",
    ),
    Loop(
        "casting-mobilenetv2",
        "casting",
        "image_dataset_from_directory, frozen MobileNetV2",
        "casting-mobilenetv2",
        "casting-plus",
        "F1 0.94, 3:41",
    ),
    Loop(
        "casting-mobilenetv2-features",
        "casting",
        "image_dataset_from_directory, frozen MobileNetV2 run once",
        "casting-mobilenetv2",
        "casting-plus",
    ),
    Loop(
        "casting-tf-rescaled",
        "casting",
        "image_dataset_from_directory, CNN behind the scaling that the notebook forgot",
        "casting",
        "casting-plus",
    ),
    Loop("chinese-mnist", "chinese-mnist", "scikit-image, CNN", "chinese-mnist", "chinese-mnist-plus"),
    Loop("mnist", "mnist", "float32 arrays in memory, CNN, SGD", "mnist-sgd", "mnist-plus", "0.9860"),
)


def main() -> None:
    """Train what is missing, then write the page of everything that is kept."""
    names = [loop.name for loop in LOOPS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loops", nargs="*", metavar="LOOP", help=f"default: all, {' '.join(names)}")
    parser.add_argument("--seeds", type=int, default=5, help="how many runs of each; 0 trains nothing")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=0, help="measure the seconds an epoch anew, in so many rounds")
    parser.add_argument("--kept", type=Path, default=KEPT, help="what the loops reached (default: %(default)s)")
    parser.add_argument("--scores", type=Path, default=SCORES, help="what edgecnn reaches (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    if unknown := set(arguments.loops) - set(names):
        parser.error(f"expected among {', '.join(names)}, got {', '.join(sorted(unknown))}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = [loop for loop in LOOPS if loop.name in (arguments.loops or names)]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    try:
        for loop in chosen:
            _train_missing(loop, seeds, arguments.kept)
        if arguments.rounds:
            keep_epochs(measure_epochs(_source("casting"), rounds=arguments.rounds), EPOCHS)
        write_page(arguments.output, read_runs(arguments.kept), read_rows(arguments.scores), read_epochs(EPOCHS))
    except EdgecnnError as problem:
        sys.exit(str(problem))
    print(f"written: {arguments.output}")


def _train_missing(loop: Loop, seeds: Sequence[int], kept: Path) -> None:
    finished = {(run.loop, run.seed) for run in read_runs(kept)}
    missing = [seed for seed in seeds if (loop.name, seed) not in finished]
    source = _source(loop.data) if missing else Path()
    for seed in missing:
        print(f"{loop.name}, seed {seed} …", flush=True)
        # A process of its own, so that no run sees the random state or the memory of another.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            try:
                run = process.submit(train, loop.name, seed, source).result()
            except ModuleNotFoundError as missing_package:
                sys.exit(f"{loop.name}: {missing_package}; pip install scikit-image scikit-learn")
            except BrokenProcessPool:
                sys.exit(f"{loop.name}, seed {seed}: its process was ended, perhaps for memory; start again to go on")
        keep(run, kept)
        print(f"  accuracy {run.accuracy:.4f}, weighted F1 {run.weighted_f1:.4f}, {run.seconds:.0f} s", flush=True)


def train(name: str, seed: int, source: Path) -> LoopRun:
    """Train one loop; imports TensorFlow, so it belongs into a process of its own."""
    if name == "mnist":
        from notebook_digits import train_mnist

        return train_mnist(seed, source)
    if name == "chinese-mnist":
        from notebook_digits import train_chinese_mnist

        return train_chinese_mnist(seed, source)
    from notebook_casting import Way, train_casting

    return train_casting(Way(name.removeprefix("casting-")), seed, source)


def _source(name: str) -> Path:
    known = KNOWN_SETS[name]
    found = known.find()
    if found is None:
        raise DataError(f"{name}: expected images in $EDGECNN_DATA, got none; put {known.layout} there")
    return found


def write_page(output: Path, runs: Sequence[LoopRun], scores: Mapping[str, Row], epochs: EpochsMeasured | None) -> None:
    """Write the page: the closing table with what the loops and edgecnn reached, then the seconds an epoch."""
    by_name = {entry.name: scores.get(entry.title) for entry in ENTRIES}
    rows = [
        _row(loop, [run for run in runs if run.loop == loop.name], by_name[loop.entry], by_name[loop.better])
        for loop in LOOPS
    ]
    imported = sorted({run.whence for run in runs if run.whence})
    page = [
        "# The notebooks' own loops beside edgecnn",
        "",
        "Written by `make notebooks` (`benchmarks/peers/notebook_loops.py`); do not edit by hand. Each loop is the",
        "notebook's, with Keras 3, its own loader and its own way to choose the epoch; all are scored on the same test",
        "images (casting: weighted F1 of 678; chinese-mnist: accuracy of 3,000; mnist: accuracy of 10,000). The",
        "median, in brackets the lowest and the highest of N seeds. What edgecnn reaches is that of SCORES.md. Times",
        "are compared where they were measured in turns: below, and in TRAINING.md.",
        *(f"\nNot run by this script: {_marked(runs, whence)}; {whence}." for whence in imported),
        "",
        "| the notebook's loop | it prints, on its GPU | here | N | epochs | edgecnn, same network | N | "
        "edgecnn, its own network | N |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        *_own_f1(runs),
        *(epoch_lines(epochs) if epochs else []),
    ]
    atomic_files.write_text(output, "\n".join(page).rstrip("\n") + "\n")


def _row(loop: Loop, runs: list[LoopRun], same: Row | None, better: Row | None) -> str:
    weighted = loop.data == "casting"
    here = ("not trained yet", "0", "")
    if runs:
        here = (
            spread([run.weighted_f1 if weighted else run.accuracy for run in runs]),
            str(len(runs)),
            _range([run.epochs for run in runs]),
        )
    cells = (
        f"{loop.data}: {loop.described}",
        loop.notebook,
        *here,
        *_of_edgecnn(loop.entry, same, weighted=weighted),
        *_of_edgecnn(loop.better, better, weighted=weighted),
    )
    return f"| {' | '.join(cells)} |"


def _of_edgecnn(name: str, row: Row | None, *, weighted: bool) -> tuple[str, str]:
    if row is None:
        return "", "0"
    return f"`{name}` {row.weighted_f1 if weighted else row.accuracy}", row.runs


def _range(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} … {max(values)}"


def _marked(runs: Sequence[LoopRun], whence: str) -> str:
    return ", ".join(
        f"{loop.name} (seeds {_range([run.seed for run in own])})"
        for loop in LOOPS
        if (own := [run for run in runs if run.loop == loop.name and run.whence == whence])
    )


def _own_f1(runs: Sequence[LoopRun]) -> list[str]:
    values = [run.notebooks_own_f1 for run in runs if run.notebooks_own_f1 is not None]
    if not values:
        return []
    return [
        f"The 1.00 of the scikit-image row is no score on test images: the notebook draws its first training batch "
        f"again and again. Read so, the same networks reach {spread(values)} here. Their validation images are trained "
        "on as well, because each pass draws a new split.",
    ]


if __name__ == "__main__":
    main()
