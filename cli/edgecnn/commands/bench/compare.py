"""`edgecnn bench compare A B`: two benchmarks side by side, and limits for continuous integration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_benchmarks.comparing.comparison import Comparison
    from edgecnn_benchmarks.comparing.regressions import Gates


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A bench.json, or a run folder that was measured.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The same, later or on another machine.")],
    fail_if_slower: Annotated[
        str | None,
        typer.Option(
            metavar="10%",
            help="Exit 1 if a file became slower by more than that, and beyond what chance explains (99 %).",
        ),
    ] = None,
    fail_if_less_accurate: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Exit 1 if a file lost more points of accuracy (0.5: from 99.0 % to 98.5 %), beyond chance.",
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare two benchmarks: versions, machines, or the same thing twice.

    Files are matched by name, else by format and scheme. B:A is how many times as long an image takes in B.
    """
    from edgecnn_benchmarks.comparing.comparison import compare as compare_results
    from edgecnn_benchmarks.comparing.regressions import Gates, find_regressions
    from edgecnn_benchmarks.measuring.result_file import find_result, read_result
    from edgecnn_benchmarks.statistics.units import Quantity, parse
    from edgecnn_runtime.errors import GateError, InputError

    console = Console(json=json, quiet=quiet)
    if fail_if_less_accurate is not None and not 0 <= fail_if_less_accurate <= 100:
        raise InputError(f"--fail-if-less-accurate: expected points between 0 and 100, got {fail_if_less_accurate:g}")
    gates = Gates(
        slower=None if fail_if_slower is None else parse(fail_if_slower, Quantity.SHARE, option="--fail-if-slower"),
        less_accurate=None if fail_if_less_accurate is None else fail_if_less_accurate / 100,
    )
    before, after = find_result(first), find_result(second)
    comparison = compare_results(read_result(before), read_result(after))
    _check_comparable(comparison, gates)
    found = find_regressions(comparison, gates)
    console.document({**comparison.to_document(), "failed": list(found.failed), "undecided": list(found.undecided)})
    _show(console, comparison, before, after)
    for sentence in found.undecided:
        console.paragraph(f"Not failed, since chance may explain it: {sentence}")
    if found.failed:
        raise GateError(f"worse than allowed, and not by chance: {'; '.join(found.failed)}")
    if gates != Gates():
        console.say("Within the limits.")


def _show(console: Console, comparison: "Comparison", before: Path, after: Path) -> None:
    from edgecnn_benchmarks.comparing.table import latency_table, other_table

    for letter, path, result in (("A", before, comparison.first), ("B", after, comparison.second)):
        console.say(f"{letter}: {path}, {result.name}, {result.created[:10]}, {result.machine.cpu}")
    console.say()
    console.table(*latency_table(comparison))
    console.say()
    console.table(*other_table(comparison))
    console.say()
    for letter, names in (("A", comparison.only_first), ("B", comparison.only_second)):
        if names:
            console.paragraph(f"Only in {letter}: {', '.join(names)}")
    for note in comparison.notes:
        console.paragraph(note)


def _check_comparable(comparison: "Comparison", gates: "Gates") -> None:
    """Refuse what would pass only because nothing was compared."""
    from edgecnn_benchmarks.comparing.changes import ChangeVerdict
    from edgecnn_runtime.errors import InputError

    if not comparison.changes:
        raise InputError(
            "expected files that both benchmarks measured, got "
            f"{', '.join(comparison.only_first)} and {', '.join(comparison.only_second)}"
        )
    if gates.slower is not None and all(
        change.finding is ChangeVerdict.TOO_FEW_ROUNDS for change in comparison.changes
    ):
        raise InputError("--fail-if-slower: expected at least 5 rounds in each benchmark; measure with --rounds 12")
    if gates.less_accurate is not None and all(change.accuracy is None for change in comparison.changes):
        raise InputError("--fail-if-less-accurate: expected accuracies in both benchmarks; measure both with --data")
