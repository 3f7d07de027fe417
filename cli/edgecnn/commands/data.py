"""`edgecnn data`: prepare image sets, and list those that edgecnn knows by name."""

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption

data = typer.Typer(
    help="Prepare image sets, and list those that edgecnn knows by name.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@data.command()
def prepare(
    name: Annotated[str, typer.Argument(help="The name of a known set; 'edgecnn data list' shows them.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="The file or folder to read; by default it is looked for in $EDGECNN_DATA, then downloaded.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write; by default one in edgecnn's home."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a set as the arrays that training, export and bench read."""
    from edgecnn_runtime.image_set import describe
    from edgecnn_training.data.known_sets import known_set
    from edgecnn_training.data.prepare import prepare as prepare_set

    console = Console(json=json, quiet=quiet)
    known = known_set(name)
    with console.progress(f"preparing {known.name}", sum(known.counts.values())) as advance:
        image_set = prepare_set(known, origin=source, output=output, report=advance)
    for warning in image_set.warnings:
        console.warn(warning)
    counts = " + ".join(f"{len(split):,} {name}" for name, split in image_set.splits.items())
    console.say(f"{known.name}: {counts} images of {len(image_set.labels)} classes in {image_set.folder}")
    console.document({**describe(image_set), "folder": str(image_set.folder)})


@data.command(name="list")
def list_sets(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show the known sets, and which are prepared."""
    from edgecnn_training.data.home import prepared_sets
    from edgecnn_training.data.known_sets import KNOWN_SETS

    console = Console(json=json, quiet=quiet)
    prepared = prepared_sets()
    console.table(
        ("name", "images", "classes", "input", "prepared"),
        [
            (
                known.name,
                f"{sum(known.counts.values()):,}",
                str(len(known.labels)),
                f"{known.input.height}x{known.input.width} {known.input.colour}",
                "yes" if known.name in prepared else "no",
            )
            for known in KNOWN_SETS.values()
        ],
    )
    for known in KNOWN_SETS.values():
        console.say(f"\n{known.name}: {known.summary}. {known.licence}.")
        console.say(f"  read from: {known.layout}")
        if known.name in prepared:
            console.say(f"  prepared in: {prepared[known.name]}")
    console.document(
        [
            {
                "name": known.name,
                "summary": known.summary,
                "labels": list(known.labels),
                "counts": dict(known.counts),
                "licence": known.licence,
                "origin": known.origin,
                "layout": known.layout,
                "prepared": str(prepared[known.name]) if known.name in prepared else None,
            }
            for known in KNOWN_SETS.values()
        ]
    )
