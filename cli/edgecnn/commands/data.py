"""`edgecnn data`: prepare, check and show image sets, and list those that edgecnn knows by name."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Advance, Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_runtime.manifest import InputSpec

data = typer.Typer(
    help="Prepare, check and show image sets, and list those that edgecnn knows by name.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# Of each finding of a check, and of the sizes and modes: the rest is in the JSON document.
_CASES_SHOWN = 5
_VALUES_SHOWN = 8

SetArgument = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        help="The name of a known set ('edgecnn data list' shows them), or a folder with one sub-folder a class, "
        "with or without train, valid and test above them.",
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="PATH",
        help="Of a known set, the file or folder to read; by default it is looked for in $EDGECNN_DATA.",
    ),
]


@data.command()
def prepare(
    name_or_folder: SetArgument,
    source: FromOption = None,
    imgsz: Annotated[
        int | None, typer.Option(help="Height and width of the prepared images; default: a known set's own.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help="grey or rgb; default: a known set's own, else rgb.")] = None,
    resize: Annotated[str | None, typer.Option(help="squash, crop or pad; default: squash.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the prepared set, for --data NAME; default: the folder's.")] = (
        None
    ),
    test_fraction: Annotated[
        float, typer.Option(help="Share of class folders to test on where there is no folder test.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the choice of these test images.")] = 0,
    group_near_duplicates: Annotated[
        bool,
        typer.Option("--group-near-duplicates", help="Choose them so that no near-identical image is trained on."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write; by default one in edgecnn's home."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a set as the arrays that training, export and bench read."""
    from edgecnn_runtime.errors import DataError
    from edgecnn_runtime.image_set import describe
    from edgecnn_runtime.manifest import Colour, InputSpec
    from edgecnn_training.data.class_folders import Holdout
    from edgecnn_training.data.known_sets import KNOWN_SETS, known_set
    from edgecnn_training.data.prepare import prepare as prepare_known
    from edgecnn_training.data.prepare import prepare_class_folders

    console = Console(json=json, quiet=quiet)
    with shown_preparing(console, name_or_folder) as report:
        if name_or_folder in KNOWN_SETS or not Path(name_or_folder).is_dir():
            known = known_set(name_or_folder)
            if group_near_duplicates:
                raise DataError(f"{known.name}: --group-near-duplicates only beside class folders expected")
            spec = _input_spec(known.input, imgsz=imgsz, colour=colour, resize=resize)
            image_set = prepare_known(known, origin=source, spec=spec, name=name, output=output, report=report)
        else:
            if source is not None:
                raise DataError(f"{name_or_folder}: no --from expected beside class folders, got {source}")
            if imgsz is None:
                raise DataError(f"{name_or_folder}: --imgsz expected beside class folders, got none; try --imgsz 96")
            spec = _input_spec(InputSpec(imgsz, imgsz, Colour.RGB), imgsz=imgsz, colour=colour, resize=resize)
            holdout = Holdout(test_fraction, seed, group_near_duplicates)
            image_set = prepare_class_folders(
                Path(name_or_folder), spec=spec, holdout=holdout, name=name, output=output, report=report
            )
    for warning in image_set.warnings:
        console.warn(warning)
    counts = " + ".join(f"{len(split):,} {name}" for name, split in image_set.splits.items())
    console.say(f"{image_set.name}: {counts} images of {len(image_set.labels)} classes in {image_set.folder}")
    console.document({**describe(image_set), "folder": str(image_set.folder)})


@data.command(name="list")
def list_sets(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show the known sets: where from, of what licence, and whether they are at hand."""
    from edgecnn_training.data.home import prepared_sets
    from edgecnn_training.data.known_sets import KNOWN_SETS

    console = Console(json=json, quiet=quiet)
    prepared = prepared_sets()
    at_hand = {known.name: known.find() for known in KNOWN_SETS.values()}
    console.table(
        ("name", "images", "classes", "input", "source", "prepared"),
        [
            (
                known.name,
                f"{sum(known.counts.values()):,}",
                str(len(known.labels)),
                f"{known.input.height}x{known.input.width} {known.input.colour}",
                "at hand" if at_hand[known.name] else "fetched by edgecnn" if known.obtain else "to be fetched",
                "yes" if known.name in prepared else "no",
            )
            for known in KNOWN_SETS.values()
        ],
    )
    for known in KNOWN_SETS.values():
        console.say(f"\n{known.name}: {known.summary}")
        console.say(f"  from: {known.origin}")
        console.say(f"  licence: {known.licence}")
        console.say(f"  read from: {known.layout}")
        if known.places:
            console.say(f"  looked for in $EDGECNN_DATA as: {', '.join(known.places)}")
        if at_hand[known.name]:
            console.say(f"  at hand: {at_hand[known.name]}")
        if known.name in prepared:
            console.say(f"  prepared in: {prepared[known.name]}")
    others = {name: folder for name, folder in prepared.items() if name not in KNOWN_SETS}
    if others:
        console.say("\nAlso prepared, to be named with --data:")
    for name in others:
        console.say(f"  {name}")
    console.document(
        [
            {
                "name": known.name,
                "summary": known.summary,
                "labels": list(known.labels),
                "input": dataclasses.asdict(known.input),
                "counts": dict(known.counts),
                "licence": known.licence,
                "origin": known.origin,
                "layout": known.layout,
                "at_hand": str(at_hand[known.name]) if at_hand[known.name] else None,
                "prepared": str(prepared[known.name]) if known.name in prepared else None,
            }
            for known in KNOWN_SETS.values()
        ]
    )


@data.command()
def check(
    name_or_folder: SetArgument,
    source: FromOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if anything is found.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Look for what makes a score worthless: unreadable files, missing labels, odd images, copies across splits.

    Near-identical images are found in another compression or size, mirrored and rotated by quarter turns.
    """
    from edgecnn_runtime.errors import GateError
    from edgecnn_training.data.check import check as check_source
    from edgecnn_training.data.open_source import open_source

    console = Console(json=json, quiet=quiet)
    opened = open_source(name_or_folder, origin=source)
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
        raise GateError(f"{opened.name}: no finding expected with --strict, got {len(result.findings)} ({kinds})")


@data.command()
def show(
    name_or_folder: SetArgument,
    source: FromOption = None,
    split: Annotated[str, typer.Option(help="Which split is shown.")] = "train",
    per_class: Annotated[int, typer.Option(help="Images of each class.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the choice of images.")] = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="PNG", help="The picture to write; default: <set>_<split>.png here.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw some images of every class, chosen by lot, into a PNG."""
    from edgecnn_runtime.errors import DataError, MissingExtraError
    from edgecnn_training.data.open_source import open_source

    try:
        from edgecnn_training.data.sample_grid import sample_grid
        from edgecnn_training.figures.labels import drawable
        from edgecnn_training.figures.style import write_png
    except ModuleNotFoundError as error:
        raise MissingExtraError("edgecnn data show", package=error.name or "matplotlib", extra="train") from error

    console = Console(json=json, quiet=quiet)
    opened = open_source(name_or_folder, origin=source)
    splits = opened.source.splits
    if split not in splits:
        raise DataError(f"{opened.name}: --split {', '.join(splits)} expected, got {split}")
    path = output or Path(f"{opened.name}_{split}.png")
    labels = drawable(opened.source.labels)
    with labels.in_use():
        title = f"{opened.name}: {len(splits[split]):,} {split} images, {len(labels.labels)} classes"
        grid = sample_grid(splits[split], labels.labels, spec=opened.input, columns=per_class, seed=seed, title=title)
        write_png(grid, path)
    console.say(f"{path}: up to {per_class} images of each of {len(labels.labels)} classes")
    console.document({"name": opened.name, "split": split, "picture": str(path)})


@contextlib.contextmanager
def shown_images(console: Console, label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show work on images: a bar or lines with the images done, from the first report on."""
    with contextlib.ExitStack() as stack:
        advance: Advance | None = None

        def show(done: int, total: int, split: str) -> None:
            nonlocal advance
            if advance is None:
                advance = stack.enter_context(console.progress(label, total))
            advance(done, split)

        yield show


def shown_preparing(console: Console, name: str) -> contextlib.AbstractContextManager[Callable[[int, int, str], None]]:
    """Show the preparation of a set."""
    return shown_images(console, f"preparing {name}")


def _shares(counts: Mapping[str, int]) -> str:
    """Say how often each of the commonest values occurs."""
    shown = [f"{value} ({count:,})" for value, count in list(counts.items())[:_VALUES_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - _VALUES_SHOWN:,} more" if len(counts) > _VALUES_SHOWN else "")


def _input_spec(default: "InputSpec", *, imgsz: int | None, colour: str | None, resize: str | None) -> "InputSpec":
    """Change a default input by the options that were given.

    Raises:
        InputError: an option has no such value.
    """
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.manifest import Colour, Resize

    try:
        return dataclasses.replace(
            default,
            height=imgsz if imgsz is not None else default.height,
            width=imgsz if imgsz is not None else default.width,
            colour=Colour(colour) if colour is not None else default.colour,
            resize=Resize(resize) if resize is not None else default.resize,
        )
    except ValueError as error:
        raise InputError(
            f"--imgsz at least 1, --colour {' or '.join(Colour)}, --resize {', '.join(Resize)} expected, got {error}"
        ) from error
