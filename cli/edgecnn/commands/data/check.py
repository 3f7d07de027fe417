"""`edgecnn data check SET`: what makes a score worthless, with counts and examples."""

from collections.abc import Mapping
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import takes_options
from edgecnn.options.set_options import SetArgument, SetOptions
from edgecnn.printing.image_progress import shown_images

# Per finding, and of the sizes and modes: the rest is in the JSON document.
_CASES_SHOWN = 5
_VALUES_SHOWN = 8


@takes_options(set_options=SetOptions)
def check(
    set_options: SetOptions,
    name_or_folder: SetArgument,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is found.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find damaged, contradictory and leaking images.

    It reports unreadable files, missing or contradictory labels, odd sizes and modes, and copies across splits.
    Near-identical images are found in another compression or size, mirrored, and rotated by quarter turns.
    """
    from edgecnn_runtime.errors import GateError
    from edgecnn_training.data.checks.check import check as check_source
    from edgecnn_training.data.open_source import open_source

    console = Console(json=json, quiet=quiet)
    opened = open_source(
        name_or_folder, origin=set_options.origin, labels=set_options.labels, columns=set_options.columns
    )
    with shown_images(console, f"checking {opened.name}") as report:
        result = check_source(opened.source, report=report)
    console.say(f"{opened.name}: {opened.origin}", "")
    splits = list(result.classes)
    console.table(
        ("class", *splits),
        [
            (label, *(f"{result.classes[split][number]:,}" for split in splits))
            for number, label in enumerate(result.labels)
        ],
    )
    console.say("", f"sizes: {_shares(result.sizes)}", f"modes: {_shares(result.modes)}", "")
    for finding in result.findings:
        count = f": {len(finding.cases):,}" if finding.cases else ""
        console.say(f"{finding.kind}: {finding.text}{count}")
        for case in finding.cases[:_CASES_SHOWN]:
            console.say(f"    {case}")
        if len(finding.cases) > _CASES_SHOWN:
            console.say("    …")
    console.say("" if result.findings else "No problems found.")
    console.document(
        {
            "name": opened.name,
            "origin": opened.origin,
            "labels": list(result.labels),
            "classes": {split: list(counts) for split, counts in result.classes.items()},
            "sizes": dict(result.sizes),
            "modes": dict(result.modes),
            "findings": [
                {
                    "kind": finding.kind.value,
                    "text": finding.text,
                    "count": len(finding.cases),
                    "cases": list(finding.cases),
                }
                for finding in result.findings
            ],
        }
    )
    if strict and result.findings:
        kinds = ", ".join(dict.fromkeys(finding.kind.value for finding in result.findings))
        raise GateError(f"{opened.name}: expected no finding with --strict, got {len(result.findings)} ({kinds})")


def _shares(counts: Mapping[str, int]) -> str:
    """Return how often each of the most frequent values occurs, in words."""
    shown = [f"{value} ({count:,})" for value, count in list(counts.items())[:_VALUES_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - _VALUES_SHOWN:,} more" if len(counts) > _VALUES_SHOWN else "")
