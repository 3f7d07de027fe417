"""`edgecnn data prepare SET`: decode every image once into arrays that everything else reads."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.commands.data.image_progress import shown_preparing
from edgecnn.commands.data.source_options import FromOption, SetArgument
from edgecnn.console import Console, JsonOption, QuietOption

if TYPE_CHECKING:
    from edgecnn_runtime.manifest import InputSpec


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
