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


def _linked(folder: Path, links: dict[str, str]) -> Path:
    """Make a folder of one image in `pool`, and links from `shots` on, each to a path beside it."""
    for name in ("pool/far.png", "shots/near.png", "shots/.trash/old.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for link, target in links.items():
        (folder / link).symlink_to(folder / target)
    return folder / "shots"


LINKS = {
    "to a folder elsewhere": ({"shots/a": "pool"}, ["a/far.png", "near.png"]),
    "two to one folder": ({"shots/a": "pool", "shots/b": "pool"}, ["a/far.png", "b/far.png", "near.png"]),
    "to a folder around it": ({"shots/a": "."}, ["near.png"]),
    "to itself": ({"shots/a": "shots/a"}, ["near.png"]),
    "to the folder that links": ({"pool/back": "shots", "shots/a": "pool"}, ["a/far.png", "near.png"]),
    "two within what is linked": (
        {"pool/x": "pool", "pool/y": "pool", "shots/a": "pool"},
        ["a/far.png", "near.png"],
    ),
    "to nothing": ({"shots/a.png": "nowhere"}, ["a.png", "near.png"]),
}


@pytest.mark.parametrize("case", LINKS)
def test_links_to_folders_are_followed_but_not_in_circles(case: str, tmp_path: Path) -> None:
    links, expected = LINKS[case]
    shots = _linked(tmp_path, links)
    assert [path.relative_to(shots).as_posix() for path in expand_sources([shots], recursive=True)] == expected


def test_folders_that_link_to_one_another_are_each_entered_once(tmp_path: Path) -> None:
    """Followed as they come, 30 folders of two links to the next one are a thousand million folders."""
    for number in range(30):
        (tmp_path / f"{number}").mkdir()
        for link in "ab":
            (tmp_path / f"{number}" / link).symlink_to(tmp_path / f"{number + 1}")
    (tmp_path / "30").mkdir()
    (tmp_path / "30" / "1.png").touch()
    assert 1 <= len(expand_sources([tmp_path / "0"], recursive=True)) <= 2


def test_images_that_are_not_read_are_no_less_listed(tmp_path: Path) -> None:
    for name in ("a.HEIC", "b.avif", "c.MPO", "d.jpe", "e.dng", "f.svg", "g.mp4", "h.txt"):
        (tmp_path / name).touch()
    assert [path.name[0] for path in expand_sources([tmp_path])] == list("abcdef")
