"""The HDF5 files of the sign digits: good shapes and damage."""

import io
import zipfile
from pathlib import Path

import needs
import numpy as np
import pytest

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.readers.signs import LABELS, read_signs

h5py = needs.package("h5py", "edgecnn[train]")

COUNTS = {"train": 12, "test": 6}


def arrays(split: str) -> dict[str, np.ndarray]:
    count = COUNTS[split]
    generator = np.random.default_rng(count)
    return {
        f"{split}_set_x": generator.integers(0, 256, (count, 64, 64, 3), np.uint8),
        f"{split}_set_y": np.arange(count) % 6,
        "list_classes": np.arange(6),
    }


def h5(content: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for key, value in content.items():
            file[key] = value
    return buffer.getvalue()


def files(**changed: np.ndarray | None) -> dict[str, bytes]:
    """Both files; a key given is replaced, or left out where it is None."""
    made = {}
    for split in COUNTS:
        content = {key: changed.get(key, value) for key, value in arrays(split).items()}
        made[f"{split}_signs.h5"] = h5({key: value for key, value in content.items() if value is not None})
    return made


def write(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def zipped(folder: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "signs.zip", "w") as archive:
        for name, data in content.items():
            archive.writestr(f"datasets/{name}", data)
    return folder / "signs.zip"


SHAPES = {
    "folder": lambda folder: write(folder, files()),
    "sub-folder, as the exercise ships it": lambda folder: write(
        folder, {f"datasets/{name}": data for name, data in files().items()}
    ),
    "zip": lambda folder: zipped(folder, files()),
    "labels in one row": lambda folder: write(
        folder, files(train_set_y=arrays("train")["train_set_y"].reshape(1, -1).astype(np.uint8))
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_signs(shape, tmp_path):
    source = read_signs(SHAPES[shape](tmp_path))
    assert source.labels == LABELS
    for name, split in source.splits.items():
        np.testing.assert_array_equal(split.images, arrays(name)[f"{name}_set_x"])
        assert split.labels.tolist() == arrays(name)[f"{name}_set_y"].tolist()
        assert split.files[1] == f"{name}_signs.h5 1"


DAMAGE = {
    "no test file": ({"train_signs.h5": files()["train_signs.h5"]}, ["got no test_signs.h5"]),
    "other keys": (
        {"train_signs.h5": h5({"X": np.zeros(3), "Y": np.zeros(3)}), "test_signs.h5": files()["test_signs.h5"]},
        ["train_signs.h5", "expected the keys train_set_x, train_set_y, list_classes", "got X, Y"],
    ),
    "a key missing": (files(test_set_y=None), ["test_signs.h5", "got list_classes, test_set_x"]),
    "empty": ({"train_signs.h5": b"", "test_signs.h5": b""}, ["train_signs.h5", "damaged"]),
    "not HDF5": ({"train_signs.h5": b"<html>" * 100, "test_signs.h5": b""}, ["train_signs.h5", "damaged"]),
    "cut short": (
        {name: data[: len(data) // 2] for name, data in files().items()},
        ["train_signs.h5", "damaged", "fetch it again"],
    ),
    "floats": (files(train_set_x=np.zeros((12, 64, 64, 3), np.float32)), ["expected an array of integers", "float32"]),
    "other size": (files(train_set_x=np.zeros((12, 28, 28, 3), np.uint8)), ["(N, 64, 64, 3)", "(12, 28, 28, 3)"]),
    "a label too few": (files(test_set_y=np.arange(5)), ["for each of 6 images", "(5,)"]),
    "a label too large": (
        files(test_set_y=np.array([0, 1, 2, 3, 4, 6])),
        ["labels 0…5, got 6 at position 5"],
    ),
    "other classes": (files(list_classes=np.arange(10)), ["expected the digits 0, 1, 2, 3, 4, 5"]),
    "no image": (
        files(test_set_x=np.zeros((0, 64, 64, 3), np.uint8), test_set_y=np.zeros(0, int)),
        ["for each of 0 images"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(damage, tmp_path):
    content, parts = DAMAGE[damage]
    with pytest.raises(DataError) as caught:
        read_signs(write(tmp_path, content))
    for part in parts:
        assert part in str(caught.value)


def test_a_group_in_place_of_an_array(tmp_path):
    write(tmp_path, files())
    with h5py.File(tmp_path / "test_signs.h5", "a") as file:
        del file["test_set_x"]
        file.create_group("test_set_x")
    with pytest.raises(DataError, match="expected an array of integers, got a group"):
        read_signs(tmp_path)


@pytest.mark.parametrize(
    ("key", "shape", "chunks", "claim"),
    [
        ("test_set_x", (1 << 20, 64, 64, 3), (1, 64, 64, 3), "12,884,901,888"),
        # A chunk is unpacked whole.
        ("test_set_x", (1, 64, 64, 3), (1 << 17, 64, 64, 3), "1,610,612,736"),
        ("test_set_y", (1 << 28,), (1 << 20,), "268,435,456"),
        ("list_classes", (1 << 28,), (1 << 20,), "268,435,456"),
    ],
)
def test_a_header_that_claims_too_much_is_not_believed(tmp_path, key, shape, chunks, claim):
    write(tmp_path, files())
    with h5py.File(tmp_path / "test_signs.h5", "a") as file:
        del file[key]
        file.create_dataset(key, shape, np.uint8, chunks=chunks, maxshape=(None, *shape[1:]))
    with pytest.raises(DataError, match=f"{key}: expected at most .* claims {claim}"):
        read_signs(tmp_path)


def test_a_missing_path(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: not found; expected a folder or zip that holds train_signs.h5"):
        read_signs(tmp_path / "nowhere")


def test_the_real_signs():
    source = read_signs(needs.data("signs"))
    assert np.bincount(source.splits["train"].labels).tolist() == [180] * 6
    assert np.bincount(source.splits["test"].labels).tolist() == [20] * 6
