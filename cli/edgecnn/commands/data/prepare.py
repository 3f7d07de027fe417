"""`edgecnn data prepare SET`: decode every image once into arrays that everything else reads."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from edgecnn.printing.image_progress import shown_preparing

if TYPE_CHECKING:
    from edgecnn_runtime.manifest import InputSpec
    from edgecnn_training.data.holdout import Holdout


def prepare(
    name_or_folder: SetArgument,
    source: FromOption = None,
    labels: LabelsOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    split_column: SplitColumnOption = None,
    imgsz: Annotated[
        int | None, typer.Option(help="Height and width of the prepared images; default: a known set's own.")
    ] = None,
    colour: Annotated[str | None, typer.Option(help="grey or rgb; default: a known set's own, else rgb.")] = None,
    resize: Annotated[str | None, typer.Option(help="squash, crop or pad; default: squash.")] = None,
    decode: Annotated[
        str | None,
        typer.Option(
            help="scaled: large JPEGs at a fraction of their size, on the device, too; or full; default: scaled."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the prepared set, for --data NAME; default: the folder's.")] = (
        None
    ),
    test_fraction: Annotated[
        float | None, typer.Option(help="Share of the images to test on where no test images are given; default: 0.2.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the choice of these test images.")] = None,
    group_near_duplicates: Annotated[
        bool,
        typer.Option(
            "--group-near-duplicates",
            help="Train on no image that is near-identical to a test image: such images are chosen for testing "
            "together or, where the test images are given, left out of training.",
        ),
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
    from edgecnn_runtime.workstation.image_set import describe
    from edgecnn_training.data.holdout import DEFAULT_HOLDOUT
    from edgecnn_training.data.known_sets import KNOWN_SETS, known_set
    from edgecnn_training.data.prepare import prepare as prepare_known
    from edgecnn_training.data.prepare import prepare_own
    from edgecnn_training.data.prepared_as import own_input
    from edgecnn_training.data.readers.labels_csv import Columns
    from edgecnn_training.data.readers.own_images import OwnImages

    console = Console(json=json, quiet=quiet)
    columns = Columns(image_column, label_column, split_column)
    images = None
    if name_or_folder not in KNOWN_SETS:
        images = OwnImages.at(name_or_folder, labels=labels, columns=columns)
    with shown_preparing(console, name_or_folder) as report:
        if images is None:
            known = known_set(name_or_folder)
            if labels is not None or columns != Columns():
                raise DataError(f"{known.name}: expected --labels only beside images of one's own")
            spec = _input_spec(known.input, imgsz=imgsz, colour=colour, resize=resize, decode=decode)
            holdout = _holdout(known.holdout, test_fraction, seed, group_near_duplicates)
            image_set = prepare_known(
                known, origin=source, spec=spec, holdout=holdout, name=name, output=output, report=report
            )
        else:
            if source is not None:
                raise DataError(f"{name_or_folder}: expected no --from beside images of one's own, got {source}")
            if imgsz is None:
                raise DataError(
                    f"{name_or_folder}: expected --imgsz beside images of one's own, got none; try --imgsz 96"
                )
            own = own_input((1, 1, 3))  # of the size that --imgsz gives
            spec = _input_spec(own, imgsz=imgsz, colour=colour, resize=resize, decode=decode)
            holdout = _holdout(DEFAULT_HOLDOUT, test_fraction, seed, group_near_duplicates)
            image_set = prepare_own(images, spec=spec, holdout=holdout, name=name, output=output, report=report)
    for warning in image_set.warnings:
        console.warn(warning)
    counts = " + ".join(f"{len(split):,} {name}" for name, split in image_set.splits.items())
    console.say(f"{image_set.name}: {counts} images of {len(image_set.labels)} classes in {image_set.folder}")
    console.document({**describe(image_set), "folder": str(image_set.folder)})


def _holdout(default: "Holdout", fraction: float | None, seed: int | None, grouped: bool) -> "Holdout":
    """Change how test images are chosen by the options that were given."""
    return dataclasses.replace(
        default,
        fraction=default.fraction if fraction is None else fraction,
        seed=default.seed if seed is None else seed,
        group_near_duplicates=grouped,
    )


def _input_spec(
    default: "InputSpec", *, imgsz: int | None, colour: str | None, resize: str | None, decode: str | None
) -> "InputSpec":
    """Change a default input by the options that were given.

    Raises:
        InputError: an option has no such value.
    """
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.manifest import Colour, Decode, Resize

    try:
        return dataclasses.replace(
            default,
            height=imgsz if imgsz is not None else default.height,
            width=imgsz if imgsz is not None else default.width,
            colour=Colour(colour) if colour is not None else default.colour,
            resize=Resize(resize) if resize is not None else default.resize,
            decode=Decode(decode) if decode is not None else default.decode,
        )
    except ValueError as error:
        raise InputError(
            f"expected --imgsz at least 1, --colour {' or '.join(Colour)}, --resize {', '.join(Resize)}, "
            f"--decode {' or '.join(Decode)}, got {error}"
        ) from error
