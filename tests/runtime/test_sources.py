import os
from pathlib import Path

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.sources import expand_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.webp", "folder.png/d.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "broken.png").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "recursive", "expected"),
    [
        (["."], False, ["a.png", "b.JPG", "broken.png"]),
        (["."], True, ["a.png", "b.JPG", "broken.png", "folder.png/d.bmp", "sub/c.webp"]),
        (["*.png"], False, ["a.png", "broken.png"]),
        (["**/*.webp"], False, ["sub/c.webp"]),
        (["notes.txt"], False, ["notes.txt"]),  # named outright
        (["sub", "a.png", "a.png"], False, ["sub/c.webp", "a.png", "a.png"]),
    ],
)
def test_files_folders_and_patterns(folder: Path, sources: list[str], recursive: bool, expected: list[str]) -> None:
    found = expand_sources([folder / source for source in sources], recursive=recursive)
    assert [path.relative_to(folder).as_posix() for path in found] == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [("missing", "not found"), ("empty", "got none; --recursive"), ("*.gif", "at least one image")],
)
def test_nothing_to_read_is_an_input_error(folder: Path, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand_sources([folder / source])


def test_a_folder_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("sub"):
            raise PermissionError(13, "Permission denied")  # as a test run by root never sees it
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(InputError, match="sub: expected a readable folder; permission denied"):
        expand_sources([folder], recursive=True)


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "sub" / "round").symlink_to(folder)
    found = expand_sources([folder / "sub"], recursive=True)
    assert [path.name for path in found] == ["c.webp"]
