"""`edgecnn bench recommend RUN`: the file to ship under given limits, and why."""

import dataclasses
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_benchmarks.judging.recommendation import Recommendation
    from edgecnn_benchmarks.measuring.result import BenchResult


def recommend(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that was measured, or a bench.json.")],
    max_drop: Annotated[
        float, typer.Option(metavar="POINTS", help="Points of accuracy below the best that are allowed.")
    ] = 1.0,
    max_latency: Annotated[
        str | None, typer.Option(metavar="5ms", help="The median time of one image, at most: us, ms or s.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="1MB", help="The size of the file, at most: kB, MB, KiB or MiB.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Device to run on, as in 'edgecnn inspect': pi4, pico, tflite-micro, flash=1M,ram=256K …",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say which file to ship and why, the runner-up, and what rules out the others.

    The fastest file within the limits is recommended, the smallest where several are equally fast. Exit 1 where none
    is within them.
    """
    from edgecnn.workflows.target_fit import TargetFit, judge_files
    from edgecnn_benchmarks.judging.recommendation import ShipLimits, recommend_within
    from edgecnn_benchmarks.measuring.result_file import find_result, read_result
    from edgecnn_benchmarks.statistics.units import Quantity, parse
    from edgecnn_runtime.errors import GateError, InputError

    console = Console(json=json, quiet=quiet)
    if not 0 <= max_drop <= 100:
        raise InputError(f"--max-drop: expected points between 0 and 100, got {max_drop:g}")
    max_latency_us = None if max_latency is None else parse(max_latency, Quantity.DURATION, option="--max-latency")
    max_size_bytes = None if max_size is None else parse(max_size, Quantity.SIZE, option="--max-size")
    result = read_result(find_result(run))
    fit = TargetFit() if target is None else judge_files(run, result, target)
    limits = ShipLimits(max_drop / 100, max_latency_us, max_size_bytes, fit.unfit)
    found = recommend_within(result, limits)
    cautions = [*found.cautions, *fit.cautions(found.file)]
    console.document({**dataclasses.asdict(found), "cautions": cautions})
    if found.ship is None:
        _show_others(console, result, found)
        raise GateError(found.sentence)
    console.paragraph(found.sentence)
    if found.runner_up is not None:
        reason = next(other.reason for other in found.others if other.name == found.runner_up)
        console.paragraph(f"Runner-up: {found.runner_up} ({reason.rpartition(': ')[2]}).")
    console.say()
    _show_others(console, result, found)
    for caution in cautions:
        console.paragraph(caution)


def _show_others(console: Console, result: "BenchResult", found: "Recommendation") -> None:
    """Print every file, what it measured and what speaks against it, within 110 columns."""
    from edgecnn_benchmarks.statistics.quantities import microseconds, percent, shorten, size

    rows = []
    for name, reason, on_front in [
        *([(found.ship, "ship", found.ship_on_front)] if found.ship is not None else []),
        *((other.name, other.reason, other.on_front) for other in found.others),
    ]:
        row = result.row(name)
        accuracy = "-" if row.accuracy is None else percent(row.accuracy.value)
        figures = [microseconds(row.latency_us.p50.value), accuracy, size(row.size_bytes), "front" if on_front else ""]
        first, *more = textwrap.wrap(reason, width=44) or [""]
        rows.append([shorten(row.label, 22), *figures, first])
        rows += [["", "", "", "", "", line] for line in more]
    console.table(["file", "p50", "correct", "size", "Pareto", "why"], rows)
