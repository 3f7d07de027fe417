"""The options that tell the commands of `edgecnn data` which images are meant."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.options.option_group import option

if TYPE_CHECKING:
    from edgecnn_training.data.readers.labels_csv import Columns

SetArgument = Annotated[
    str,
    typer.Argument(
        metavar="SET",
        help="Name of a known set ('edgecnn data list' shows them), a folder or zip with one sub-folder per class, "
        "with or without train, valid and test above them, or a CSV of labels beside its images.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class SetOptions:
    """Where the images of a set and their labels are; None where the command line does not say."""

    origin: Annotated[
        Path | None,
        option("PATH", "File or folder with a known set; default: found in $EDGECNN_DATA.", "--from"),
    ] = None
    labels: Annotated[
        Path | None,
        option("CSV", "Labels for a folder or zip without class folders: one row per image, with file and label."),
    ] = None
    image_column: Annotated[
        str | None, option("NAME", "Column of the CSV with the file; default: file, filename, image, path or id.")
    ] = None
    label_column: Annotated[
        str | None, option("NAME", "Column of the CSV with the label; default: label, class, category or target.")
    ] = None
    split_column: Annotated[
        str | None, option("NAME", "Column of the CSV with train, valid or test; default: split, subset or the like.")
    ] = None

    @property
    def columns(self) -> "Columns":
        """The columns of the CSV."""
        from edgecnn_training.data.readers.labels_csv import Columns

        return Columns(self.image_column, self.label_column, self.split_column)
