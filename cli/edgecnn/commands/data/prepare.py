"""`edgecnn data prepare SET`: decode every image once into arrays that everything else reads."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.fit_options import BackgroundOption, InterpolationOption, ResizeOption, ResizeSizeOption
from edgecnn.options.option_group import option, output_option, takes_options
from edgecnn.options.set_options import SetArgument, SetOptions
from edgecnn.printing.image_progress import shown_preparing

if TYPE_CHECKING:
    from edgecnn_runtime.image_fit import ImageFit
    from edgecnn_runtime.manifest import InputSpec
    from edgecnn_training.data.holdout import Holdout


@takes_options(set_options=SetOptions)
def prepare(
    set_options: SetOptions,
    name_or_folder: SetArgument,
    imgsz: Annotated[
        int | None, option("N", "Height and width of the prepared images; default: those of the known set.")
    ] = None,
    colour: Annotated[
        str | None, option("rgb|grey", "Channels of the prepared images; default: those of the known set, or rgb.")
    ] = None,
    resize: ResizeOption = None,
    resize_size: ResizeSizeOption = None,
    interpolation: InterpolationOption = None,
    background: BackgroundOption = None,
    decode: Annotated[
        str | None,
        option(
            "full|scaled",
            "Way to decode large JPEGs, here and on the device: full, or scaled to a fraction of their size, which is "
            "faster; default: scaled, where --interpolation is antialiased.",
        ),
    ] = None,
    name: Annotated[
        str | None, option("NAME", "Name of the prepared set, for --data NAME; default: that of the folder.")
    ] = None,
    test_fraction: Annotated[
        float | None,
        option("SHARE", "Share of the images to test on where the set has no test images; default: 0.2."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the choice of these test images.")] = None,
    group_near_duplicates: Annotated[
        bool,
        typer.Option(
            "--group-near-duplicates",
            help="Keep near-identical images out of training and test at once: they go to the test images together or, "
            "where the set has its own test images, are left out of training.",
        ),
    ] = False,
    output: Annotated[Path | None, output_option("DIR", "Folder to write; default: one in edgecnn's home.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Decode a set into the arrays that everything else reads."""
    from edgecnn_runtime.errors import DataError
    from edgecnn_runtime.image_fit import ImageFit
    from edgecnn_runtime.workstation.image_set import describe
    from edgecnn_training.data.holdout import DEFAULT_HOLDOUT
    from edgecnn_training.data.known_sets import KNOWN_SETS
    from edgecnn_training.data.prepare import prepare as prepare_known
    from edgecnn_training.data.prepare import prepare_own
    from edgecnn_training.data.prepared_as import own_input, unknown_set
    from edgecnn_training.data.readers.own_images import OwnImages

    console = Console(json=json, quiet=quiet)
    known = KNOWN_SETS.get(name_or_folder)
    images = None
    if known is None:
        images = OwnImages.at(name_or_folder, labels=set_options.labels, columns=set_options.columns)
        if images is None:
            raise unknown_set(name_or_folder)
        if set_options.origin is not None:
            raise DataError(
                f"--from {set_options.origin}: expected the name of a known set, got your own images {name_or_folder}; "
                "leave --from out"
            )
        if imgsz is None:
            raise DataError(f"{name_or_folder}: expected --imgsz for your own images, got none; try --imgsz 96")
    elif set_options != SetOptions(origin=set_options.origin):
        raise DataError(f"--labels: expected your own images, got the known set {known.name}; leave --labels out")
    own = own_input((1, 1, 3))  # of the size that --imgsz gives
    fit = ImageFit.of(resize=resize, resize_size=resize_size, interpolation=interpolation, background=background)
    spec = _input_spec(known.input if known else own, imgsz=imgsz, colour=colour, fit=fit, decode=decode)
    holdout = _holdout(known.holdout if known else DEFAULT_HOLDOUT, test_fraction, seed, group_near_duplicates)
    with shown_preparing(console, name_or_folder) as report:
        if known is not None:
            image_set = prepare_known(
                known, origin=set_options.origin, spec=spec, holdout=holdout, name=name, output=output, report=report
            )
        else:
            assert images is not None  # one of the two by now
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
    default: "InputSpec", *, imgsz: int | None, colour: str | None, fit: "ImageFit", decode: str | None
) -> "InputSpec":
    """Change a default input by the options that were given.

    Raises:
        InputError: an option has no such value.
    """
    from edgecnn_runtime.choices import choose
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.manifest import Colour, Decode

    if imgsz is not None and imgsz < 1:
        raise InputError(f"--imgsz: expected 1 or more, got {imgsz}")
    spec = fit.applied_to(
        dataclasses.replace(
            default,
            height=imgsz or default.height,
            width=imgsz or default.width,
            colour=default.colour if colour is None else choose(Colour, "--colour", colour),
        )
    )
    if decode is None:
        return spec
    try:
        return dataclasses.replace(spec, decode=choose(Decode, "--decode", decode))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"--{error}") from error
