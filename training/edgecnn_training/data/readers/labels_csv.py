"""A user's table of labels: a CSV with one row per image, beside the images or elsewhere."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.folder_tree import FolderTree, is_image
from edgecnn_training.data.readers.labelled_rows import LabelledRow, source_of_rows
from edgecnn_training.data.readers.members import FolderMembers, Members, opened_members
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.readers.split_names import TRAIN, split_of
from edgecnn_training.data.readers.untrusted import MAX_BYTES, damage_as_data_error

LAYOUT = "a folder or zip with the images that the rows name"
SUFFIXES = (".csv", ".tsv")

# How the columns are called in the field, the likelier first; compared without case, blanks, `_` and `-`.
_IMAGE_NAMES = ("filename", "file", "filepath", "imagename", "imagefile", "imagepath", "image", "path", "imageid", "id")
_LABEL_NAMES = ("label", "labels", "class", "classname", "category", "target")
_SPLIT_NAMES = ("split", "subset", "partition", "dataset", "set")

_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Columns:
    """The names of the columns, where they have unusual names."""

    image: str | None = None
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class LabelsCsv:
    """A CSV of labels."""

    # The file, or its name within the folder or zip of the images.
    path: Path
    columns: Columns = Columns()


def read_labels_csv(table: LabelsCsv, images: Path | None = None) -> RawImageSet:
    """Read the rows of a CSV and find their images; a zip of images is read as it is, without unpacking it.

    The columns are given, or recognized by their names: of the image (image, file, filename, path, id, …), of the label
    (label, class, category, …) and, if there is one, of the split (split, subset, …: train, valid, test). All that
    does not fit is left out with a finding: rows without a label, rows without their image, images without a row.

    Args:
        table: which CSV, UTF-8, separated by comma, semicolon or tab.
        images: the folder or zip of the images; default: the folder of the CSV, or else the only zip in it.

    Raises:
        DataError: no such file or column, no UTF-8, or not one row with its image.
    """
    with opened_members(images or _images_beside(table.path), layout=LAYOUT) as members:
        rows, findings = _read_rows(_text(table.path, members), table)
        source = source_of_rows(rows, members, table=table.path.name)
    return RawImageSet(source.labels, source.splits, (*findings, *source.findings))


def _images_beside(table: Path) -> Path:
    """Return the folder of a CSV or, where it holds no image, the only zip in it."""
    folder = table.parent
    if folder.is_dir() and not any(map(is_image, FolderTree.of(FolderMembers(folder)).all_files())):
        archives = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".zip"]
        if len(archives) == 1:
            return archives[0]
    return folder


def _text(table: Path, members: Members) -> str:
    if table.is_file():
        if table.stat().st_size > MAX_BYTES:
            raise DataError(f"{table}: expected at most {MAX_BYTES:,} bytes, got more")
        content, name = table.read_bytes(), str(table)
    else:
        member = table.as_posix() if table.as_posix() in members.files() else members.find((table.name,))
        if member is None:
            raise DataError(f"{table}: not found, nor in {members.path}; expected a CSV of labels")
        name = members.describe(member)
        with members.open(member) as file:
            content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: expected text in UTF-8, got other bytes at position {error.start:,}; save it as UTF-8"
        ) from error


def _read_rows(text: str, table: LabelsCsv) -> tuple[list[LabelledRow], list[Finding]]:
    """Read the complete rows, and report the others."""
    header = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=header.count), restval="")
    rows, without_label, without_image, without_split = [], [], [], []
    with damage_as_data_error(str(table.path)):
        columns = [name for name in reader.fieldnames or () if name]
        image_column = _column(columns, table.columns.image, _IMAGE_NAMES, what="image", table=table.path)
        label_column = _column(columns, table.columns.label, _LABEL_NAMES, what="label", table=table.path)
        split_column = _split_column(columns, table)
        for fields in reader:
            image, label = fields[image_column].strip(), " ".join(fields[label_column].split())
            split = split_of(fields[split_column].strip()) if split_column else TRAIN
            if not image:
                without_image.append(f"line {reader.line_num}")
            elif not label:
                without_label.append(f"{image} in line {reader.line_num}")
            elif split is None:
                without_split.append(f"{image} in line {reader.line_num}")
            else:
                rows.append(LabelledRow(reader.line_num, image, label, split))
    name = table.path.name
    findings = [
        Finding(FindingKind.MISSING_VALUE, text, cases)
        for text, cases in (
            (f"{name}: rows left out, without a name in {image_column}", without_image),
            (f"{name}: rows left out, without a label in {label_column}", without_label),
            (f"{name}: rows left out, without train, valid or test in {split_column}", without_split),
        )
        if cases
    ]
    return rows, findings


def _split_column(columns: Sequence[str], table: LabelsCsv) -> str | None:
    """Return the column of the split; there need not be one."""
    if table.columns.split is None and not _named(columns, _SPLIT_NAMES):
        return None
    return _column(columns, table.columns.split, _SPLIT_NAMES, what="split", table=table.path)


def _column(columns: Sequence[str], given: str | None, usual: Sequence[str], *, what: str, table: Path) -> str:
    """Return the column that is given, or else the first of a usual name."""
    found = ([given] if given in columns else []) if given is not None else _named(columns, usual)
    if not found:
        expected = f"a column {given!r}" if given is not None else f"a column of the {what} ({', '.join(usual)})"
        raise DataError(
            f"{table}: expected {expected}, got {', '.join(columns) or 'none'}; "
            f"name it with 'edgecnn data prepare --{what}-column'"
        )
    return found[0]


def _named(columns: Sequence[str], usual: Sequence[str]) -> list[str]:
    plain = {"".join(character for character in column.casefold() if character.isalnum()): column for column in columns}
    return [plain[name] for name in usual if name in plain]
