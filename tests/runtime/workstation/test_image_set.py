import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.workstation.image_set import (
    ImageSet,
    Split,
    describe,
    fingerprint,
    open_labelled_folder,
    open_prepared,
)

SPEC = InputSpec(2, 3, Colour.GREY)
LABELS = ("crack", "whole")


def _set() -> ImageSet:
    images = np.arange(30, dtype=np.uint8).reshape(5, 2, 3, 1)
    splits = {
        "train": Split(images[:3], np.array([0, 1, 0]), ("a", "b", "c")),
        "test": Split(images[3:], np.array([1, 0]), ("d", "e")),
    }
    return ImageSet("parts", LABELS, SPEC, splits, fingerprint(LABELS, splits), "a camera", warnings=("dusty",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image_set = _set()
    for name, split in image_set.splits.items():
        np.save(tmp_path / f"{name}.images.npy", split.images)
        np.save(tmp_path / f"{name}.labels.npy", split.labels)
        (tmp_path / f"{name}.files.txt").write_text("\n".join(split.files) + "\n")
    atomic_files.write_json(tmp_path / "dataset.json", describe(image_set))
    return tmp_path


def test_a_prepared_set_is_read_as_it_was_written(folder: Path) -> None:
    opened, written = open_prepared(folder), _set()
    assert (opened.name, opened.labels, opened.input, opened.warnings) == ("parts", LABELS, SPEC, ("dusty",))
    assert opened.fingerprint == written.fingerprint == fingerprint(opened.labels, opened.splits)
    assert isinstance(opened.split("train").images, np.memmap)
    assert opened.split("test").files == ("d", "e")
    assert describe(opened)["splits"]["train"] == {"images": 3, "per_class": [2, 1]}


def test_the_fingerprint_sees_pixels_labels_and_names() -> None:
    base = _set()
    other_pixels = Split(255 - base.split("test").images, base.split("test").labels, ())
    other_labels = Split(base.split("test").images, base.split("test").labels[::-1], ())
    prints = {
        fingerprint(LABELS, base.splits),
        fingerprint(("crack", "hole"), base.splits),
        fingerprint(LABELS, {**base.splits, "test": other_pixels}),
        fingerprint(LABELS, {**base.splits, "test": other_labels}),
    }
    assert len(prints) == 4


def _pickled(folder: Path) -> None:
    np.save(folder / "test.labels.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _claiming(folder: Path) -> None:
    """Write a header of a million million labels, for which numpy would look for the memory."""
    with (folder / "test.labels.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<i8", "fortran_order": False, "shape": (10**12,)})


def _piped(folder: Path) -> None:
    (folder / "test.labels.npy").unlink()
    os.mkfifo(folder / "test.labels.npy")


def _change(folder: Path, /, **changes: object) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_set_of_a_later_version_opens(folder: Path) -> None:
    before = open_prepared(folder)
    _change(folder, filter="area", folder="elsewhere")
    after = open_prepared(folder)
    assert (after.name, after.folder, after.fingerprint) == (before.name, before.folder, before.fingerprint)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "dataset.json").unlink(), "got a folder without dataset.json; make one with"),
        (lambda folder: (folder / "test.images.npy").unlink(), "got a folder without test.images.npy"),
        (lambda folder: (folder / "dataset.json").write_text("{"), "dataset.json: expected a JSON document, got none"),
        (lambda folder: (folder / "dataset.json").write_text("{}"), "dataset.json: expected the key 'name', got none"),
        (lambda folder: _change(folder, splits=["test"]), "dataset.json: splits: expected an object"),
        (lambda folder: _change(folder, splits=None), "dataset.json: splits: expected an object"),
        (lambda folder: _change(folder, labels=["crack", 5]), "labels: 1: expected a string, got 5"),
        (lambda folder: _change(folder, input=5), "input: expected an object, got 5"),
        (lambda folder: _change(folder, copies={"test": [0, 2]}), "copies: test: expected positions 0…1, got 2"),
        (
            lambda folder: _change(folder, copies={"absent": [0]}),
            "expected positions in train, test, got some in a",
        ),
        (lambda folder: _change(folder, copies={"test": [1e99]}), "copies: test: 0: expected an integer .*, got 1e"),
        (lambda folder: (folder / "test.images.npy").write_bytes(b"\x93NUMPY"), "expected a whole .*, got a damaged"),
        (lambda folder: np.save(folder / "test.labels.npy", np.array([1])), "2 images, 1 labels, 2 names"),
        (lambda folder: np.save(folder / "test.labels.npy", np.array([1, 2])), "expected class numbers 0…1, got 2"),
        (_claiming, "got a damaged one"),
        (_piped, "test.labels.npy is a pipe, not a file"),
        (_pickled, "whole prepared image set, got a damaged one"),
    ],
)
def test_a_damaged_set_is_a_data_error(folder: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(folder)
    with pytest.raises(DataError, match=message):
        open_prepared(folder)


def test_an_unknown_split_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="expected a split 'valid', got only train, test"):
        open_prepared(folder).split("valid")


def test_a_labelled_folder_is_a_split(tmp_path: Path) -> None:
    for name in ("whole/1.png", "crack/1.png", "crack/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (3, 2), 7).save(tmp_path / name)
    split = open_labelled_folder(tmp_path, labels=LABELS, spec=SPEC)
    assert split.labels.tolist() == [0, 0, 1]
    assert split.images.shape == (3, 2, 3, 1)
    (tmp_path / "crack" / "again").mkdir()
    (tmp_path / "crack" / "1.png").rename(tmp_path / "crack" / "again" / "1.png")
    (tmp_path / ".cache").mkdir()
    again = open_labelled_folder(tmp_path, labels=LABELS, spec=SPEC)
    assert np.array_equal(again.labels, split.labels), "as 'edgecnn evaluate' reads it: sub-folders too, hidden not"
    (tmp_path / "crack" / "2.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"must be whole; .*2\.png"):
        open_labelled_folder(tmp_path, labels=LABELS, spec=SPEC)
    (tmp_path / "dent").mkdir()
    with pytest.raises(DataError, match=r"\(crack, whole\), got dent"):
        open_labelled_folder(tmp_path, labels=LABELS, spec=SPEC)


def test_the_description_is_json(folder: Path) -> None:
    assert json.loads(json.dumps(describe(open_prepared(folder))))["labels"] == list(LABELS)
