"""`edgecnn data show SET`: samples of every class as a picture."""

from pathlib import Path
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


def show(
    name_or_folder: SetArgument,
    source: FromOption = None,
    labels: LabelsOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    split_column: SplitColumnOption = None,
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
    from edgecnn_training.data.readers.labels_csv import Columns

    try:
        from edgecnn_training.data.sample_grid import sample_grid
        from edgecnn_training.figures.labels import drawable
        from edgecnn_training.figures.style import write_png
    except ModuleNotFoundError as error:
        raise MissingExtraError("edgecnn data show", package=error.name or "matplotlib", extra="train") from error

    console = Console(json=json, quiet=quiet)
    columns = Columns(image_column, label_column, split_column)
    opened = open_source(name_or_folder, origin=source, labels=labels, columns=columns)
    splits = opened.source.splits
    if split not in splits:
        raise DataError(f"{opened.name}: expected --split {', '.join(splits)}, got {split}")
    path = output or Path(f"{opened.name}_{split}.png")
    names = drawable(opened.source.labels)
    with names.in_use():
        title = f"{opened.name}: {len(splits[split]):,} {split} images, {len(names.labels)} classes"
        grid = sample_grid(splits[split], names.labels, spec=opened.input, columns=per_class, seed=seed, title=title)
        write_png(grid, path)
    console.say(f"{path}: up to {per_class} images of each of {len(names.labels)} classes")
    console.document({"name": opened.name, "split": split, "picture": str(path)})
