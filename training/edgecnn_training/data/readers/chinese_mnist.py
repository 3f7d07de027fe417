"""Chinese MNIST: one CSV of labels and a folder of images, as a folder or as the zip that Kaggle ships."""

import csv
import io
from pathlib import Path

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.labelled_rows import LabelledRow, source_of_rows
from edgecnn_training.data.readers.members import opened_members
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.readers.split_names import TRAIN
from edgecnn_training.data.readers.untrusted import damage_as_data_error

SIZE = 64
LAYOUT = (
    "the zip as Kaggle ships it, or a folder, that holds chinese_mnist.csv and the images "
    "input_<suite_id>_<sample_id>_<code>.jpg"
)

_CHARACTERS = {
    0: "零",
    1: "一",
    2: "二",
    3: "三",
    4: "四",
    5: "五",
    6: "六",
    7: "七",
    8: "八",
    9: "九",
    10: "十",
    100: "百",
    1_000: "千",
    10_000: "万",
    100_000_000: "亿",
}

# The character and its value, "零 0" to "亿 100000000", in the order of the values.
LABELS = tuple(f"{character} {value}" for value, character in _CHARACTERS.items())

_CSV = "chinese_mnist.csv"
_COLUMNS = ("suite_id", "sample_id", "code", "value", "character")


def read_chinese_mnist(path: Path) -> RawImageSet:
    """Read Chinese MNIST; a zip is read as it is, without unpacking it.

    The labels show the character and its value, "零 0" to "亿 100000000", in the order of the values. Rows that cannot
    be used, rows without an image and images without a row are findings.

    Raises:
        DataError: missing, damaged, without the columns, or without one image that has a label.
    """
    with opened_members(path, layout=LAYOUT) as members:
        table = members.find((_CSV,))
        if table is None:
            raise DataError(f"{path}: expected {LAYOUT}, got no {_CSV}")
        name = members.describe(table)
        with members.open(table) as file, damage_as_data_error(name):
            text = file.read().decode("utf-8-sig")
        rows, findings = _read_rows(text, name=name)
        source = source_of_rows(rows, members, table=_CSV, labels=LABELS)
    return RawImageSet(LABELS, source.splits, (*findings, *source.findings))


def _read_rows(text: str, *, name: str) -> tuple[list[LabelledRow], list[Finding]]:
    """Read the rows whose values fit together, and report the others."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{name}: expected the columns {', '.join(_COLUMNS)}, got {', '.join(reader.fieldnames or ()) or 'none'}; "
            f"{', '.join(missing)} missing"
        )
    rows, unreadable, unlike = [], [], []
    with damage_as_data_error(name):
        for row in reader:
            line = reader.line_num
            try:
                suite, sample, code, value = (int(row[column]) for column in _COLUMNS[:4])
            # None where a line is cut short.
            except (TypeError, ValueError):
                unreadable.append(f"line {line}")
                continue
            if row["character"] == _CHARACTERS.get(value):
                rows.append(
                    LabelledRow(line, f"input_{suite}_{sample}_{code}.jpg", f"{row['character']} {value}", TRAIN)
                )
            else:
                unlike.append(f"line {line}")
    findings = [
        Finding(FindingKind.MISSING_VALUE, f"{_CSV}: rows left out for {reason}", lines)
        for reason, lines in (
            ("a value missing or not a number", unreadable),
            ("value and character that do not belong together", unlike),
        )
        if lines
    ]
    return rows, findings
