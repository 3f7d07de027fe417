"""The reader of the zip behind a model, beside Python's own."""

import io
import random
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import MOST_BYTES, TFLITE_FILE
from edgecnn_runtime.model_files.appended_files import appended_files
from edgecnn_runtime.model_files.tflite_file import read_associated_file
from edgecnn_runtime.model_formats import read_manifest

MODEL = bytes(range(256)) * 20
CONTENTS = {"labels.txt": b"cat\ndog\n" * 50, "manifest.json": b'{"name": "m"}', "empty": b""}


def appended(method: int = zipfile.ZIP_STORED, *, counted_from_the_zip: bool = False, comment: bytes = b"") -> bytes:
    """Write a model with a zip behind it; some writers count its offsets from where it begins."""
    stream = io.BytesIO(b"" if counted_from_the_zip else MODEL)
    with zipfile.ZipFile(stream, "a", method) as archive:
        for name, content in CONTENTS.items():
            archive.writestr(name, content)
        archive.comment = comment
    return (MODEL if counted_from_the_zip else b"") + stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("counted_from_the_zip", [False, True])
@pytest.mark.parametrize("comment", [b"", b"of somebody" * 5000])
def test_every_file_is_what_was_appended(method: int, counted_from_the_zip: bool, comment: bytes) -> None:
    file = io.BytesIO(appended(method, counted_from_the_zip=counted_from_the_zip, comment=comment))
    found = appended_files(file)
    assert {name: entry.read(file) for name, entry in found.items()} == CONTENTS
    assert min(entry.start for entry in found.values()) == len(MODEL)


@pytest.mark.parametrize("content", [b"", b"P", MODEL, b"PK\5\6", MODEL + b"PK\5\6" + bytes(5)])
def test_a_file_without_a_zip_has_none(content: bytes) -> None:
    assert appended_files(io.BytesIO(content)) == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_ways_to_pack_are_refused(method: int) -> None:
    file = io.BytesIO(appended(method))
    with pytest.raises(ValueError, match="otherwise packed"):
        appended_files(file)["labels.txt"].read(file)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_of_a_damaged_file_comes_what_was_appended_or_an_error(method: int) -> None:
    whole, chance = appended(method), random.Random(0)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(MODEL), len(whole))] = chance.randrange(256)
        file = io.BytesIO(bytes(damaged[: chance.choice([len(whole), chance.randrange(len(whole))])]))
        try:
            for name, entry in appended_files(file).items():
                content = entry.read(file)
                assert content == CONTENTS.get(name, content)
        except (ValueError, struct.error, zlib.error):
            refused += 1
    assert refused


@pytest.mark.parametrize(("size", "read"), [(MOST_BYTES, True), (MOST_BYTES + 1, False), (64 * MOST_BYTES, False)])
def test_what_unpacks_to_more_than_a_model_says_about_itself_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, read: bool
) -> None:
    path = tmp_path / "bomb.tflite"
    path.write_bytes(MODEL)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(TFLITE_FILE, bytes(min(size, MOST_BYTES + 1)))
    # Whatever the list says counts, since nothing is unpacked.
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", min(size, MOST_BYTES + 1)), struct.pack("<L", size)))
    if read:
        assert read_associated_file(path.read_bytes(), TFLITE_FILE) == bytes(size)
        return
    monkeypatch.setattr("edgecnn_runtime.model_files.appended_files.zlib.decompressobj", None)
    with pytest.raises(ModelError, match=rf"{TFLITE_FILE} of at most 4 MiB in it, got one of {size >> 20:,} MiB"):
        read_manifest(path)
