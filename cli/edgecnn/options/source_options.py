"""How the commands of `edgecnn data` are told which images are meant."""

from pathlib import Path
from typing import Annotated

import typer

SetArgument = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        help="The name of a known set ('edgecnn data list' shows them), a folder or zip with one sub-folder a class, "
        "with or without train, valid and test above them, or a CSV of labels beside its images.",
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
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="CSV",
        help="For a folder or zip of images without class folders: a row an image, with its file and its label.",
    ),
]
ImageColumnOption = Annotated[
    str | None, typer.Option(help="Of the CSV, if not file, filename, image, path, id or the like.")
]
LabelColumnOption = Annotated[str | None, typer.Option(help="Of the CSV, if not label, class, category or target.")]
SplitColumnOption = Annotated[
    str | None, typer.Option(help="Of the CSV, with train, valid or test; if not split, subset or the like.")
]
