"""`benchmarks/OWN_FOLDER.md`: a table for the choice of a recipe, the sets, and a table of figures for each."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kept_lines import spread
from own_folder_runs import BINS, FolderRun
from own_folder_sets import SEED, SETS, FolderSet
from own_folder_ways import BASELINE, DEFAULT, WAYS, Way

from edgecnn_runtime.system import atomic_files

MISSED = ", **missed**"
NONE = "not measured"

# Images below which a set is small.
SMALL = 100
# Goals of edgecnn's default, in points: of other sets, of small ones.
BELOW_BASELINE = (1.0, 2.0)
MOST_ECE = (5.0, 8.0)
# Goals for all sets, in points.
WORST_BELOW_BASELINE = 8.0
MOST_INT8_LOSS = 0.5

Runs = Mapping[str, Sequence[FolderRun]]  # by way


def write_page(output: Path, runs: Sequence[FolderRun]) -> None:
    """Write the page of what is kept; what is not measured yet says so."""
    by_set = [
        (wanted, {way.name: [run for run in runs if (run.set, run.way) == (wanted.name, way.name)] for way in WAYS})
        for wanted in SETS
    ]
    page = [
        *_head(runs),
        "## Which recipe?",
        "",
        "Accuracy / recall of the worst class, in percent, the median of the seeds.",
        "",
        f"| set | images | {' | '.join(way.shown for way in WAYS)} |",
        f"|---|---|{'---|' * len(WAYS)}",
        *(_choice(wanted, by_way) for wanted, by_way in by_set),
        "",
        *_sets(),
        *(line for wanted, by_way in by_set for line in _section(wanted, by_way)),
    ]
    atomic_files.write_text(output, "\n".join(page).rstrip("\n") + "\n")


def _head(runs: Sequence[FolderRun]) -> list[str]:
    machines = sorted({f"{run.machine}, Keras {run.keras}" for run in runs})
    return [
        "# A folder of one's own",
        "",
        "Written by `make own-folder` (`benchmarks/peers/own_folder.py`); do not edit by hand. Small folders as",
        "people have them, trained on by `edgecnn train --data FOLDER` without a recipe, by recipes, and by a baseline",
        "of an expert's hour in plain Keras (`own_folder_baseline.py`: a small network from scratch, images changed a",
        "little, classes weighted, a fixed number of steps). Each is judged on the same held-out images, which no",
        "training saw: as many of each class, none identical or nearly identical to a training image",
        "(`edgecnn data check`). Each run is a command in a process of its own.",
        "",
        "In the tables: the median, in brackets the lowest and the highest of the seeds, in percent. The worst class",
        f"is that of the lowest recall. ECE is the expected calibration error in {BINS} bins of equal width (Guo et",
        "al., arXiv:1706.04599, equation 3). Seconds are those of the training command, with its start and the",
        "preparation of the images. int8 is the accuracy of the full-integer TFLite file on the same images, and the",
        "points that it gains or loses.",
        "",
        f"Goals of `edgecnn train`: at most {BELOW_BASELINE[0]:g} point of accuracy below the baseline, and an ECE of "
        f"at most {MOST_ECE[0]:g}",
        f"({BELOW_BASELINE[1]:g} and {MOST_ECE[1]:g} under {SMALL} images); the worst class at most "
        f"{WORST_BELOW_BASELINE:g} points below the baseline's; at most {MOST_INT8_LOSS:g}",
        "point lost by int8. Where one is missed, it says so.",
        "",
        *([f"Machine: {'; '.join(machines)}.", ""] if machines else []),
    ]


def _choice(wanted: FolderSet, by_way: Runs) -> str:
    cells = [
        f"{statistics.median(_percent(by_way[way.name], 'accuracy')):.1f} / "
        f"{statistics.median(_percent(by_way[way.name], 'worst_recall')):.0f}"
        if by_way[way.name]
        else NONE
        for way in WAYS
    ]
    return f"| {wanted.name}: {wanted.described} | {wanted.images:,} | {' | '.join(cells)} |"


def _sets() -> list[str]:
    return [
        "## The sets",
        "",
        "`python benchmarks/peers/own_folder_sets.py FOLDER` writes them as class folders of PNG files, `NAME` and",
        f"`NAME-held-out`. The images of a class are ordered by the SHA-256 of the seed, {SEED}, and their pixels; the",
        "first are trained on. So the same images are drawn on every machine.",
        "",
        "| set | training images by class | held out | from |",
        "|---|---|---|---|",
        *(
            f"| {wanted.name} | {_by_class(wanted)} | {wanted.held_out} per class | {wanted.rebuilt} |"
            for wanted in SETS
        ),
        "",
    ]


def _by_class(wanted: FolderSet) -> str:
    if len(set(wanted.classes.values())) == 1:
        return f"{len(wanted.classes)} × {next(iter(wanted.classes.values()))}"
    return ", ".join(f"{name}: {count}" for name, count in wanted.classes.items())


def _section(wanted: FolderSet, by_way: Runs) -> list[str]:
    return [
        f"## {wanted.name}",
        "",
        f"{wanted.described[0].upper()}{wanted.described[1:]}.",
        "",
        "| training | runs | accuracy | worst class | ECE | seconds | int8, points |",
        "|---|---|---|---|---|---|---|",
        *(_row(wanted, way, by_way[way.name], by_way[BASELINE]) for way in WAYS),
        "",
    ]


def _row(wanted: FolderSet, way: Way, runs: Sequence[FolderRun], baseline: Sequence[FolderRun]) -> str:
    if not runs:
        return f"| {way.shown} | 0 | {NONE} |  |  |  |  |"
    small, has_goals = wanted.images < SMALL, way.name == DEFAULT
    accuracies, recalls, errors = (_percent(runs, name) for name in ("accuracy", "worst_recall", "ece"))
    accuracy_goal = _below(baseline, "accuracy", BELOW_BASELINE[small])
    recall_goal = _below(baseline, "worst_recall", WORST_BELOW_BASELINE)
    cells = (
        way.shown + (f": {_recipes(runs)}" if has_goals else ""),
        str(len(runs)),
        spread(accuracies, 1) + _missed(has_goals and _over(accuracy_goal, statistics.median(accuracies))),
        f"{_worst(runs)}: {spread(recalls, 0)}" + _missed(has_goals and _over(recall_goal, statistics.median(recalls))),
        spread(errors, 1) + _missed(has_goals and _over(statistics.median(errors), MOST_ECE[small])),
        spread([run.seconds for run in runs], 0),
        _int8(runs, has_goals=has_goals),
    )
    return f"| {' | '.join(cells)} |"


def _below(baseline: Sequence[FolderRun], name: str, points: float) -> float:
    """Return what is so many points below the baseline's median, in percent; 0 where there is no baseline."""
    return statistics.median(_percent(baseline, name)) - points if baseline else 0


def _int8(runs: Sequence[FolderRun], *, has_goals: bool) -> str:
    made = [(run.accuracy, run.int8_accuracy) for run in runs if run.int8_accuracy is not None]
    if not made:
        return "" if runs[0].way == BASELINE else "no file"
    gained = statistics.median([100 * (int8 - accuracy) for accuracy, int8 in made])
    lacking = "" if len(made) == len(runs) else f", {len(made)} of {len(runs)} files"
    shown = f"{spread([100 * int8 for _, int8 in made], 1)}, {gained:+.1f}{lacking}"
    return shown + _missed(has_goals and _over(-gained, MOST_INT8_LOSS))


def _recipes(runs: Iterable[FolderRun]) -> str:
    """Name the recipes that were trained, with their number where they differ."""
    counts = Counter(run.recipe for run in runs).most_common()
    return ", ".join(name if len(counts) == 1 else f"{name} {count} times" for name, count in counts)


def _worst(runs: Sequence[FolderRun]) -> str:
    return ", ".join(sorted({run.worst_class for run in runs}))


def _percent(runs: Sequence[FolderRun], name: str) -> list[float]:
    return [100 * float(getattr(run, name)) for run in runs]


def _missed(missed: bool) -> str:
    return MISSED if missed else ""


def _over(points: float, limit: float) -> bool:
    """Tell whether so many points are more than the limit, not only for the rounding of shares."""
    return round(points - limit, 6) > 0
