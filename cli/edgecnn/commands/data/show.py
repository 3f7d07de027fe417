"""`edgecnn data show SET`: samples of every class as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import output_option, takes_options
from edgecnn.options.set_options import SetArgument, SetOptions


@takes_options(set_options=SetOptions)
def show(
    set_options: SetOptions,
    name_or_folder: SetArgument,
    split: Annotated[str, typer.Option(help="Split to show.")] = "train",
    per_class: Annotated[int, typer.Option(help="Images per class.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the choice of images.")] = 0,
    output: Annotated[Path | None, output_option("PNG", "PNG file to write; default: <set>_<split>.png here.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw some images of every class, chosen at random, as a PNG."""
    from edgecnn_runtime.choices import not_among
    from edgecnn_runtime.errors import DataError, MissingExtraError
    from edgecnn_training.data.open_source import open_source

    try:
        from edgecnn_training.data.sample_grid import sample_grid
        from edgecnn_training.figures.labels import drawable
        from edgecnn_training.figures.style import write_png
    except ModuleNotFoundError as error:
        raise MissingExtraError("edgecnn data show", package=error.name or "matplotlib", extra="train") from error

    console = Console(json=json, quiet=quiet)
    opened = open_source(
        name_or_folder, origin=set_options.origin, labels=set_options.labels, columns=set_options.columns
    )
    splits = opened.source.splits
    if split not in splits:
        raise DataError(not_among(f"{opened.name}: --split", split, splits))
    path = output or Path(f"{opened.name}_{split}.png")
    names = drawable(opened.source.labels)
    with names.in_use():
        title = f"{opened.name}: {len(splits[split]):,} {split} images, {len(names.labels)} classes"
        grid = sample_grid(splits[split], names.labels, spec=opened.input, columns=per_class, seed=seed, title=title)
        write_png(grid, path)
    console.say(f"{path}: up to {per_class} images of each of {len(names.labels)} classes")
    console.document({"name": opened.name, "split": split, "picture": str(path)})
