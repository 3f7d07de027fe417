"""Chinese MNIST: one CSV of labels and a folder of images, as a folder or as the zip that Kaggle ships."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.stratify import stratified_sample
from edgecnn_training.data.finding import Finding, Kind
from edgecnn_training.data.members import FolderMembers, Members, ZipMembers
from edgecnn_training.data.source import Source, SourceSplit
from edgecnn_training.data.untrusted import damage_as_data_error

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
_IMAGE = re.compile(r"input_(\d+)_(\d+)_(\d+)\.jpe?g", re.IGNORECASE)

# Seed 4: TEST_SIZE, RANDOM_STATE.
_TEST_FRACTION, _SPLIT_SEED = 0.2, 42

# suite_id, sample_id, code: what an image's name is made of.
_Key = tuple[int, int, int]


def read_chinese_mnist(path: Path) -> Source:
    """Read Chinese MNIST; a zip is read as it is, without unpacking it.

    The labels show the character and its value, "零 0" to "亿 100000000", in the order of the values. A fifth of the
    images, stratified, is for testing (seed 4's TEST_SIZE and RANDOM_STATE); a recipe takes its validation images
    from the rest. Rows that cannot be used, rows without an image and images without a row are findings.

    Raises:
        DataError: missing, damaged, without the columns, or without one image that has a label.
    """
    if path.is_dir():
        return _read_members(FolderMembers(path))
    if path.suffix.lower() == ".zip" and path.exists():
        with ZipMembers(path) as members:
            return _read_members(members)
    raise DataError(f"{path}: {LAYOUT} expected, got {'another file' if path.exists() else 'no such file or folder'}")


def _read_members(members: Members) -> Source:
    table = members.find((_CSV,))
    if table is None:
        raise DataError(f"{members.path}: {LAYOUT} expected, got no {_CSV}")
    with members.open(table) as file, damage_as_data_error(members.describe(table)):
        text = file.read().decode("utf-8-sig")
    rows = _read_rows(text, name=members.describe(table))
    images = {_key_of(match): member for member, match in _named_images(members)}
    keys = sorted(rows.labels.keys() & images.keys(), key=lambda key: (rows.labels[key], key))
    if not keys:
        raise DataError(
            f"{members.path}: images named as the rows of {_CSV} expected (input_<suite_id>_<sample_id>_<code>.jpg), "
            f"got {len(images):,} images and {len(rows.labels):,} rows that do not fit together"
        )
    numbers = np.array([rows.labels[key] for key in keys], np.int64)
    in_test = np.zeros(len(keys), bool)
    in_test[stratified_sample(numbers, round(len(keys) * _TEST_FRACTION), seed=_SPLIT_SEED)] = True
    splits = {}
    for split, chosen in (("train", ~in_test), ("test", in_test)):
        found = [images[keys[position]] for position in np.flatnonzero(chosen).tolist()]
        splits[split] = SourceSplit(
            images=members.images(found), labels=numbers[chosen], files=[PurePosixPath(name).name for name in found]
        )
    return Source(LABELS, splits, _findings(rows, images))


@dataclass(frozen=True)
class _Rows:
    """What the CSV says."""

    labels: Mapping[_Key, int]
    # Lines, counted from 1 as an editor does, that cannot be used, by reason.
    unusable: Mapping[str, Sequence[int]]


def _read_rows(text: str, *, name: str) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"{name}: the columns {', '.join(_COLUMNS)} expected, got {', '.join(reader.fieldnames or ()) or 'none'}; "
            f"{', '.join(missing)} missing"
        )
    labels: dict[_Key, int] = {}
    unusable: dict[str, list[int]] = {}
    numbers = {value: number for number, value in enumerate(_CHARACTERS)}
    with damage_as_data_error(name):
        for row in reader:
            try:
                suite, sample, code, value = (int(row[column]) for column in _COLUMNS[:4])
            # None where a line is cut short.
            except (TypeError, ValueError):
                unusable.setdefault("a value missing or not a number", []).append(reader.line_num)
                continue
            key = suite, sample, code
            if row["character"] != _CHARACTERS.get(value):
                unusable.setdefault("value and character that do not belong together", []).append(reader.line_num)
            elif labels.setdefault(key, numbers[value]) != numbers[value]:
                unusable.setdefault("another label than an earlier row of the same image", []).append(reader.line_num)
    return _Rows(labels, unusable)


def _named_images(members: Members) -> Iterator[tuple[str, re.Match[str]]]:
    for member in members.files():
        match = _IMAGE.fullmatch(PurePosixPath(member).name)
        if match:
            yield member, match


def _key_of(match: re.Match[str]) -> _Key:
    suite, sample, code = (int(group) for group in match.groups())
    return suite, sample, code


def _image_name(key: _Key) -> str:
    return "input_{}_{}_{}.jpg".format(*key)


def _findings(rows: _Rows, images: Mapping[_Key, str]) -> tuple[Finding, ...]:
    findings = [
        Finding(Kind.MISSING_VALUE, f"{_CSV}: rows left out for {reason}", [f"line {line}" for line in lines])
        for reason, lines in rows.unusable.items()
    ]
    without_image = sorted(rows.labels.keys() - images.keys())
    if without_image:
        text = f"{_CSV}: rows without their image"
        findings.append(Finding(Kind.LABEL_WITHOUT_FILE, text, [_image_name(key) for key in without_image]))
    without_row = sorted(images.keys() - rows.labels.keys())
    if without_row:
        text = f"images without a usable row in {_CSV}"
        findings.append(Finding(Kind.FILE_WITHOUT_LABEL, text, [_image_name(key) for key in without_row]))
    return tuple(findings)
