"""A user's own CSV of labels: which columns and images are found, and what is said about the rest."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.finding import FindingKind
from edgecnn_training.data.readers.labels_csv import Columns, LabelsCsv, read_labels_csv
from edgecnn_training.data.readers.own_images import OwnImages
from edgecnn_training.data.readers.source import RawImageSet

LEVELS = {"cat": 20, "dog": 200}
NAMES = [f"{label}{number}" for label in LEVELS for number in (1, 2, 10)]


def label_of(name: str) -> str:
    return name.rstrip("0123456789")


def png(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), LEVELS[label_of(name)]).save(buffer, "PNG")
    return buffer.getvalue()


def table(*lines: str, header: str = "file,label") -> bytes:
    return "\n".join([header, *lines, ""]).encode()


ROWS = [f"{name}.png,{label_of(name)}" for name in NAMES]
IMAGES = {f"{name}.png": png(name) for name in NAMES}


def write(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(path: Path, content: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def shown(source: RawImageSet) -> dict[str, list[str]]:
    """By split, the names of the files; each image must have the grey of its label."""
    for split in source.splits.values():
        for image, number in zip(split.images, split.labels, strict=True):
            pixels = np.asarray(Image.open(io.BytesIO(image) if isinstance(image, bytes) else image))
            assert pixels[0, 0] == LEVELS[source.labels[number]]
    return {name: list(split.files) for name, split in source.splits.items()}


# Where the images and the CSV are, and what is named: `--data CSV`, or FOLDER_OR_ZIP with `--labels CSV`.
PLACES = {
    "beside the CSV": lambda root: OwnImages.at(str(write(root, {**IMAGES, "l.csv": table(*ROWS)}) / "l.csv")),
    "below the CSV": lambda root: OwnImages.at(
        str(
            write(root, {**{f"data/data/{name}": data for name, data in IMAGES.items()}, "l.csv": table(*ROWS)})
            / "l.csv"
        )
    ),
    "a zip beside the CSV": lambda root: OwnImages.at(
        str(zipped(write(root, {"l.csv": table(*ROWS)}) / "a.zip", IMAGES).with_name("l.csv"))
    ),
    "a CSV in the folder": lambda root: OwnImages.at(
        str(write(root, {**IMAGES, "l.csv": table(*ROWS)})), labels=Path("l.csv")
    ),
    "a CSV in the zip": lambda root: OwnImages.at(
        str(zipped(root / "a.zip", {**IMAGES, "deep/l.csv": table(*ROWS)})), labels=Path("l.csv")
    ),
    "a CSV elsewhere": lambda root: OwnImages.at(
        str(zipped(root / "a.zip", IMAGES)), labels=write(root / "b", {"l.csv": table(*ROWS)}) / "l.csv"
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_gives_the_same_images(place, tmp_path):
    images = PLACES[place](tmp_path)
    source = images.read()
    assert (source.labels, source.findings) == (("cat", "dog"), ())
    # In natural order, whatever that of the rows.
    assert [Path(file).stem for file in shown(source)["train"]] == NAMES


TABLES = {
    "other names": (["cat1.png,cat", "dog1.png,dog"], "Image_ID,Category"),
    "semicolons": (["cat1.png;cat", "dog1.png;dog"], "filename;class"),
    "tabs": (["cat1.png\tcat", "dog1.png\tdog"], "path\ttarget"),
    "a byte order mark, Windows lines": (["cat1.png,cat\r", "dog1.png,dog\r"], "\ufefffile,label\r"),
    "more columns": (["0,cat1.png,x,cat", "1,dog1.png,y,dog"], "id,filename,note,label"),
    "without suffix": (["cat1,cat", "dog1,dog"], "id,label"),
    "a path": (["./cat1.png,cat", "dog1.png,dog"], "path,label"),
    "a path of Windows": ([r"C:\data\cat1.png,cat", r"C:\data\dog1.png,dog"], "path,label"),
    "a path of another machine": (["/there/cat1.png,cat", "/there/dog1.png,dog"], "path,label"),
    "blanks and quotes": (["cat1.png , cat ", 'dog1.png,"dog"'], "file,label"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(case, tmp_path):
    lines, header = TABLES[case]
    images = {name: IMAGES[name] for name in ("cat1.png", "dog1.png")}
    folder = write(tmp_path, {**images, "labels.csv": table(*lines, header=header)})
    source = read_labels_csv(LabelsCsv(folder / "labels.csv"))
    assert shown(source) == {"train": ["cat1.png", "dog1.png"]}
    assert source.findings == ()


def test_columns_that_are_named(tmp_path):
    lines = [f"{row},x,{split}" for row, split in zip(ROWS, ("train", "val", "Test") * 2, strict=True)]
    content = table(*lines, header="picture,species,label,part")
    folder = write(tmp_path, {**IMAGES, "labels.csv": content})
    columns = Columns("picture", "species", "part")
    source = read_labels_csv(LabelsCsv(folder / "labels.csv", columns))
    assert shown(source) == {
        "train": ["cat1.png", "dog1.png"],
        "valid": ["cat2.png", "dog2.png"],
        "test": ["cat10.png", "dog10.png"],
    }


FAULTS = {
    "label missing": (
        [*ROWS[1:], "cat1.png,"],
        FindingKind.MISSING_VALUE,
        "without a label in label: 1 (cat1.png in line 7)",
    ),
    "row cut short": (
        [*ROWS[1:], "cat1.png"],
        FindingKind.MISSING_VALUE,
        "without a label in label: 1 (cat1.png in line 7)",
    ),
    "name missing": ([*ROWS[1:], ",cat"], FindingKind.MISSING_VALUE, "without a name in file: 1 (line 7)"),
    "no such file": ([*ROWS, "cat3.png,cat"], FindingKind.LABEL_WITHOUT_FILE, "rows without their image: 1 (cat3.png)"),
    "no row": (ROWS[1:], FindingKind.FILE_WITHOUT_LABEL, "images without a usable row in labels.csv: 1 (cat1.png)"),
    "two labels": (
        [*ROWS, "cat1,dog"],
        FindingKind.MISSING_VALUE,
        "differ in label or split: 1 (cat1.png: cat (train) in line 2, dog (train) in line 8)",
    ),
    "a row twice": ([*ROWS, ROWS[0]], FindingKind.LEFT_OUT, "rows that repeat an earlier one: 1 (line 8)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_left_out_is_counted_with_examples(fault, tmp_path):
    lines, kind, part = FAULTS[fault]
    folder = write(tmp_path, {**IMAGES, "labels.csv": table(*lines)})
    source = read_labels_csv(LabelsCsv(folder / "labels.csv"))
    told = {finding.kind: str(finding) for finding in source.findings}
    assert part in told[kind]
    assert len(source) == (6 if fault in ("no such file", "a row twice") else 5)


def test_a_split_that_is_none(tmp_path):
    lines = [f"{row},train" for row in ROWS[1:]] + ["cat1.png,cat,5"]
    folder = write(tmp_path, {**IMAGES, "labels.csv": table(*lines, header="file,label,split")})
    told = [str(finding) for finding in read_labels_csv(LabelsCsv(folder / "labels.csv")).findings]
    assert "without train, valid or test in split: 1 (cat1.png in line 7)" in told[0]


def test_a_name_that_fits_several_images(tmp_path):
    copies = {f"{folder}/{name}": data for folder in "ab" for name, data in IMAGES.items()}
    lines = [f"a/{row}" for row in ROWS] + ["cat1.png,cat", "c/cat1.png,cat"]
    folder = write(tmp_path, {**copies, "labels.csv": table(*lines)})
    source = read_labels_csv(LabelsCsv(folder / "labels.csv"))
    assert [file for file in source.splits["train"].files if not file.startswith("a/")] == []
    told = " ".join(map(str, source.findings))
    assert "fits several images: 1 (cat1.png is a/cat1.png or b/cat1.png)" in told
    # Another folder's image of the same name is another image.
    assert "rows without their image: 1 (c/cat1.png)" in told


UNUSABLE = {
    "no image column": (table(*ROWS, header="picture,label"), None, "a column of the image (filename, file"),
    "no label column": (table(*ROWS, header="file,species"), None, "--label-column"),
    "no such column": (table(*ROWS), Columns(label="kind"), "expected a column 'kind', got file, label"),
    "no such split column": (table(*ROWS), Columns(split="part"), "expected a column 'part'"),
    "empty": (b"", None, "got none; name it with 'edgecnn data prepare --image-column'"),
    "no row": (table(), None, "6 images and 0 rows that do not fit"),
    "other images": (table("x.png,cat"), None, "(the first names x.png) that do not fit"),
    "not UTF-8": (table("Käse.png,cat").decode().encode("cp1252"), None, "save it as UTF-8"),
    "a field without end": (b'file,label\n"' + b"x" * 200_000, None, "damaged"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_told_with_what_to_do(case, tmp_path):
    content, columns, part = UNUSABLE[case]
    folder = write(tmp_path, {**IMAGES, "labels.csv": content})
    with pytest.raises(DataError) as caught:
        read_labels_csv(LabelsCsv(folder / "labels.csv", columns or Columns()))
    assert part in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_what_does_not_go_together(tmp_path):
    write(tmp_path, {"labels.csv": table(*ROWS)})
    with pytest.raises(DataError, match="a folder or zip with images before it"):
        OwnImages.at(str(tmp_path / "labels.csv"), labels=tmp_path / "labels.csv")
    with pytest.raises(DataError, match="expected --labels CSV beside the name of a column"):
        OwnImages.at(str(tmp_path), columns=Columns(image="x"))
    with pytest.raises(DataError, match="not found, nor in"):
        OwnImages.at(str(tmp_path), labels=Path("other.csv")).read()
    assert OwnImages.at(str(tmp_path / "nowhere")) is None
