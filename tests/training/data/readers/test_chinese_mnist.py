"""Chinese MNIST as a zip and as a folder: what is read, and what is said about what does not fit."""

import io
import zipfile
from pathlib import Path

import needs
import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.holdout import with_test_split
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.readers.chinese_mnist import LABELS, read_chinese_mnist
from edgecnn_training.data.readers.source import RawImageSet

VALUES = [int(label.split()[1]) for label in LABELS]
HEADER = "suite_id,sample_id,code,value,character\n"


def rows(suites: int = 2, samples: int = 5) -> list[str]:
    """Lines of the CSV in an order of their own, ten images a class."""
    return [
        f"{suite},{sample},{number + 1},{VALUES[number]},{LABELS[number][0]}\n"
        for suite in range(1, suites + 1)
        for sample in range(1, samples + 1)
        for number in reversed(range(15))
    ]


def read(path: Path) -> RawImageSet:
    return with_test_split(read_chinese_mnist(path), KNOWN_SETS["chinese-mnist"].holdout, name=str(path))


def jpeg(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (64, 64), level).save(buffer, "JPEG")
    return buffer.getvalue()


def files(lines: list[str] | None = None, *, header: str = HEADER, without: str = "") -> dict[str, bytes]:
    """The whole set, each image of its class's own grey; `without` leaves out one image."""
    images = {
        f"data/data/input_{suite}_{sample}_{number + 1}.jpg": jpeg(number * 17)
        for suite in (1, 2)
        for sample in range(1, 6)
        for number in range(15)
    }
    images = {name: data for name, data in images.items() if not without or without not in name}
    return {"chinese_mnist.csv": (header + "".join(lines if lines is not None else rows())).encode(), **images}


def write(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(folder: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return folder / "archive.zip"


SHAPES = {
    "zip": lambda folder: zipped(folder, files()),
    "folder": lambda folder: write(folder, files()),
    "zip made by macOS": lambda folder: zipped(folder, files() | {"__MACOSX/data/data/._input_1_1_1.jpg": b"x"}),
    "a byte order mark, Windows lines": lambda folder: write(
        folder,
        files() | {"chinese_mnist.csv": "\ufeff".encode() + files()["chinese_mnist.csv"].replace(b"\n", b"\r\n")},
    ),
    "other column order": lambda folder: write(
        folder,
        files(
            [",".join(reversed(line.strip().split(","))) + "\n" for line in rows()],
            header="character,value,code,sample_id,suite_id\n",
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_images(shape, tmp_path):
    source = read(SHAPES[shape](tmp_path))
    assert source.findings == ()
    assert {name: np.bincount(split.labels).tolist() for name, split in source.splits.items()} == {
        "train": [8] * 15,
        "test": [2] * 15,
    }
    for split in source.splits.values():
        # Twice, because each pass reads the source again.
        for _ in range(2):
            for image, number, file in zip(split.images, split.labels, split.files, strict=True):
                grey = np.asarray(Image.open(io.BytesIO(image) if isinstance(image, bytes) else image))
                assert abs(int(grey[0, 0]) - 17 * number) <= 1
                assert file.endswith(f"_{number + 1}.jpg")


def test_labels_show_character_and_value_in_the_order_of_the_values():
    assert (LABELS[0], LABELS[10], LABELS[14]) == ("零 0", "十 10", "亿 100000000")
    assert sorted(VALUES) == VALUES


def test_the_split_does_not_depend_on_the_order_of_the_rows(tmp_path):
    first = read(write(tmp_path / "a", files()))
    second = read(write(tmp_path / "b", files(rows()[::-1])))
    assert first.splits["test"].files == second.splits["test"].files


LEFT_OUT = {
    "row without image": (files(without="input_2_3_7.jpg"), "rows without their image: 1 (input_2_3_7.jpg)"),
    "image without row": (
        files(rows()[1:]),
        "images without a usable row in chinese_mnist.csv: 1 (data/data/input_1_1_15.jpg)",
    ),
    "value missing": (files([*rows()[:-1], "2,5,1,,零\n"]), "a value missing or not a number: 1 (line 151)"),
    "row cut short": (files([*rows()[:-1], "2,5\n"]), "a value missing or not a number: 1 (line 151)"),
    "contradiction": (files([*rows()[:-1], "2,5,1,7,零\n"]), "do not belong together: 1 (line 151)"),
    "character missing": (files([*rows()[:-1], "2,5,1,0,\n"]), "do not belong together: 1 (line 151)"),
    "two labels": (
        files([*rows(), "2,5,1,9,九\n"]),
        "differ in label or split: 1 (data/data/input_2_5_1.jpg: 零 0 (train) in line 151, 九 9 (train) in line 152)",
    ),
    "blank lines": (files([*rows()[:-1], "\n", "2,5,1,x,零\n"]), "not a number: 1 (line 152)"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_counted(case, tmp_path):
    content, part = LEFT_OUT[case]
    source = read_chinese_mnist(write(tmp_path, content))
    assert len(source) == 149
    assert any(part in str(finding) for finding in source.findings)


DAMAGE = {
    "no csv": ({"data/data/input_1_1_1.jpg": b""}, ["got no chinese_mnist.csv"]),
    "a column missing": (
        files(["1,1,1,0\n"], header="suite_id,sample_id,code,value\n"),
        ["expected the columns suite_id, sample_id, code, value, character", "character missing"],
    ),
    "no header": (files(header=""), ["columns", "missing"]),
    "empty csv": ({**files(), "chinese_mnist.csv": b""}, ["columns", "got none"]),
    "not UTF-8": ({**files(), "chinese_mnist.csv": b"\xff\xfe\x00s"}, ["chinese_mnist.csv", "damaged"]),
    "a field without end": (files(['"' + "x" * 200_000]), ["chinese_mnist.csv", "damaged"]),
    "no row": (files([]), ["150 images and 0 rows"]),
    "no image": ({"chinese_mnist.csv": files()["chinese_mnist.csv"]}, ["0 images and 150 rows"]),
}


@pytest.mark.parametrize("packing", ["folder", "zip"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(damage, packing, tmp_path):
    content, parts = DAMAGE[damage]
    path = write(tmp_path / "set", content) if packing == "folder" else zipped(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_chinese_mnist(path)
    for part in parts:
        assert part in str(caught.value)


def test_an_image_whose_compression_is_damaged_is_unreadable_and_no_more(tmp_path):
    path = zipped(tmp_path, files())
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("data/data/input_1_1_1.jpg").header_offset
    content[start + 80 : start + 120] = bytes(40)
    path.write_bytes(content)
    source = read_chinese_mnist(path)
    images = {
        file: image for split in source.splits.values() for file, image in zip(split.files, split.images, strict=True)
    }
    assert [file for file, image in images.items() if not image] == ["data/data/input_1_1_1.jpg"]


def test_the_real_chinese_mnist():
    source = read(needs.data("chinese-mnist", "chinese-mnist.zip"))
    assert source.findings == ()
    assert np.bincount(source.splits["train"].labels).tolist() == [800] * 15
    assert np.bincount(source.splits["test"].labels).tolist() == [200] * 15
