"""`edgecnn data check SET`: what makes a score worthless, with counts and examples."""

from collections.abc import Mapping
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.source_options import (
    FromOption,
    ImageColumnOption,
    LabelColumnOption,
    LabelsOption,
    SetArgument,
    SplitColumnOption,
)
from edgecnn.printing.image_progress import shown_images

# Of each finding, and of the sizes and modes: the rest is in the JSON document.
_CASES_SHOWN = 5
_VALUES_SHOWN = 8


def check(
    name_or_folder: SetArgument,
    source: FromOption = None,
    labels: LabelsOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    split_column: SplitColumnOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if anything is found.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look for what makes a score worthless: unreadable files, missing labels, odd images, copies across splits.

    Near-identical images are found in another compression or size, mirrored and rotated by quarter turns.
    """
    from edgecnn_runtime.errors import GateError
    from edgecnn_training.data.checks.check import check as check_source
    from edgecnn_training.data.open_source import open_source
    from edgecnn_training.data.readers.labels_csv import Columns

    console = Console(json=json, quiet=quiet)
    columns = Columns(image_column, label_column, split_column)
    opened = open_source(name_or_folder, origin=source, labels=labels, columns=columns)
    with shown_images(console, f"checking {opened.name}") as report:
        result = check_source(opened.source, report=report)
    console.say(f"{opened.name}: {opened.origin}\n")
    splits = list(result.classes)
    console.table(
        ("class", *splits),
        [
            (label, *(f"{result.classes[split][number]:,}" for split in splits))
            for number, label in enumerate(result.labels)
        ],
    )
    console.say(f"\nsizes: {_shares(result.sizes)}\nmodes: {_shares(result.modes)}\n")
    for finding in result.findings:
        count = f": {len(finding.cases):,}" if finding.cases else ""
        console.say(f"{finding.kind}: {finding.text}{count}")
        for case in finding.cases[:_CASES_SHOWN]:
            console.say(f"    {case}")
        if len(finding.cases) > _CASES_SHOWN:
            console.say("    …")
    console.say("" if result.findings else "nothing found")
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
    """Say how often each of the commonest values occurs."""
    shown = [f"{value} ({count:,})" for value, count in list(counts.items())[:_VALUES_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - _VALUES_SHOWN:,} more" if len(counts) > _VALUES_SHOWN else "")
