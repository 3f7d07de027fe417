"""How the commands of `edgecnn data` are told which images are meant."""

from pathlib import Path
from typing import Annotated

import typer

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
