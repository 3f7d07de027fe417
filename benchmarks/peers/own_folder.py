"""Train on small folders as people have them, judge on held-out images, and write `benchmarks/OWN_FOLDER.md`.

    make own-folder                                              # an hour or two on two cores; goes on where it stopped
    python benchmarks/peers/own_folder.py --sets faces hands --ways baseline default --seeds 1
    python benchmarks/peers/own_folder.py --seeds 0              # trains nothing, writes the page of what is kept

Each run is a command in a process of its own: edgecnn's command line, or a baseline in plain Keras. What it reached is
kept in `benchmarks/own_folder_runs.jsonl`, so the page is made anew from what the repository holds. A set whose source
is not on this machine is left out, and so is a command that fails; the reason is printed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from own_folder_page import write_page
from own_folder_runs import KEPT, FolderRun, HeldOutScores, keep, read_runs, read_scores
from own_folder_sets import SETS, DrawnSet, FolderSet, SourceMissingError, draw
from own_folder_ways import WAYS, Way

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.workstation.run_folder import RunFolder

PAGE = Path(__file__).parents[1] / "OWN_FOLDER.md"
BASELINE = Path(__file__).with_name("own_folder_baseline.py")


class CommandFailedError(Exception):
    """A command ended with an error; the message is what it printed last."""


@dataclass(frozen=True)
class Trained:
    """What one training left."""

    seconds: float
    scores: HeldOutScores
    recipe: str = ""
    int8_accuracy: float | None = None


def main() -> None:
    """Train what is missing, then write the page of everything that is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, all_of in (("--sets", SETS), ("--ways", WAYS)):
        names = [one.name for one in all_of]
        parser.add_argument(
            option, nargs="+", choices=names, default=names, metavar="NAME", help=f"of {', '.join(names)}"
        )
    parser.add_argument("--seeds", type=int, default=3, help="how many runs of each; 0 trains nothing")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="time after which no run is begun")
    parser.add_argument(
        "--home", type=Path, default=Path("build/own-folder"), help="sets and runs (default: %(default)s)"
    )
    parser.add_argument("--kept", type=Path, default=KEPT, help="what the runs reached (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = [wanted for wanted in SETS if wanted.name in arguments.sets]
    ways = [way for way in WAYS if way.name in arguments.ways]
    begun = time.monotonic()
    try:
        drawn = _drawn(chosen, arguments.home / "sets") if arguments.seeds else {}
        # Seed by seed, so that a measurement which is stopped has something of every set and way.
        for seed in range(arguments.seeds):
            for name, folders in drawn.items():
                for way in ways:
                    if time.monotonic() - begun < 60 * arguments.minutes:
                        _train_missing(name, folders, way, seed, arguments.home / "runs", arguments.kept)
        write_page(arguments.output, read_runs(arguments.kept))
    except EdgecnnError as problem:
        sys.exit(str(problem))
    print(f"written: {arguments.output}")


def _drawn(chosen: Sequence[FolderSet], home: Path) -> dict[str, DrawnSet]:
    """Draw the sets whose sources are here."""
    drawn = {}
    for wanted in chosen:
        try:
            drawn[wanted.name] = draw(wanted, home)
        except SourceMissingError as missing:
            print(f"{wanted.name}: left out; {missing}", flush=True)
    return drawn


def _train_missing(name: str, drawn: DrawnSet, way: Way, seed: int, runs: Path, kept: Path) -> None:
    """Train, judge and keep one run, unless one of the same images is kept."""
    key = (name, way.name, seed)
    if any(run.key == key and run.fingerprint == drawn.fingerprint for run in read_runs(kept)):
        return
    print(f"{name}, {way.name}, seed {seed} …", flush=True)
    folder = runs / f"{name}-{way.name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        trained = _train_baseline(drawn, seed, folder) if way.words is None else _train(drawn, way.words, seed, folder)
    except CommandFailedError as problem:
        print(f"  left out; {problem}", flush=True)
        return
    machine = describe_machine()
    scores = trained.scores
    run = FolderRun(
        set=name,
        way=way.name,
        seed=seed,
        fingerprint=drawn.fingerprint,
        images=scores.images,
        accuracy=scores.accuracy,
        worst_recall=scores.worst_recall,
        worst_class=scores.worst_class,
        ece=scores.ece,
        seconds=trained.seconds,
        machine=f"{machine.cpu}, {machine.available_cpus} processors",
        keras=version("keras"),
        recipe=trained.recipe,
        int8_accuracy=trained.int8_accuracy,
    )
    keep(run, kept)
    print(
        f"  accuracy {run.accuracy:.4f}, {run.worst_class} {run.worst_recall:.4f}, ECE {run.ece:.4f}, "
        f"{run.seconds:.0f} s",
        flush=True,
    )


def _train_baseline(drawn: DrawnSet, seed: int, folder: Path) -> Trained:
    folder.mkdir(parents=True)
    predictions = folder / "predictions.csv"
    words = (str(drawn.training), str(drawn.held_out), "--seed", str(seed), "--predictions", str(predictions))
    seconds = _python(str(BASELINE), *words)
    return Trained(seconds, read_scores(predictions))


def _train(drawn: DrawnSet, words: Sequence[str], seed: int, folder: Path) -> Trained:
    """Train by edgecnn's command line, judge the run, export it to int8 and judge the file."""
    run = RunFolder(folder)
    data = ("--data", str(drawn.training))
    seconds = _edgecnn("train", *words, *data, "--output", str(folder), "--seed", str(seed))
    scores = _judge(folder, drawn.held_out, run.evaluation / "held-out")
    int8 = run.exported("int8", ".tflite")
    try:
        _edgecnn("export", str(folder), "--format", "tflite-int8")
        int8_accuracy = _judge(int8, drawn.held_out, run.evaluation / "held-out-int8").accuracy
    except CommandFailedError as problem:
        print(f"  no int8 file; {problem}", flush=True)
        int8_accuracy = None
    return Trained(seconds, scores, _recipe(run), int8_accuracy)


def _recipe(run: RunFolder) -> str:
    return str(run.read_record().recipe["name"])


def _judge(model: Path, held_out: Path, output: Path) -> HeldOutScores:
    _edgecnn("evaluate", str(model), "--data", str(held_out), "--output", str(output))
    return read_scores(output / "predictions.csv")


def _edgecnn(*words: str) -> float:
    return _python("-m", "edgecnn", *words, "--quiet")


def _python(*words: str) -> float:
    """Run a Python program to its end, and return its seconds.

    Raises:
        CommandFailedError: it ended with an error.
    """
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        printed = ended.stderr.strip() or ended.stdout.strip() or "nothing was printed"
        raise CommandFailedError(f"{' '.join(words)}: exit code {ended.returncode}; {printed[-600:]}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
