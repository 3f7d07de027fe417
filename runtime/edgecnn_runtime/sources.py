"""From what a user names (files, folders, patterns) to the list of image files."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.other_formats import OTHER_FORMATS

# What a camera or a person writes and is read.
_READ = {
    ".apng", ".avif", ".avifs", ".bmp", ".gif", ".jfif", ".jif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm",
    ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
# Others, such as HEIC, become an error that says what to do, so that none is passed over; what is no image is.
IMAGE_SUFFIXES = frozenset(_READ.union(*(other.suffixes for other in OTHER_FORMATS)))


def image_files(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List the image files of a folder, recognized by suffix, in the order of their names; not the hidden ones.

    Each folder is read once and no file is looked at, so that a million files take seconds.

    Raises:
        InputError: a folder that may not be read.
    """
    return [
        Path(entry.path)
        for entry in walk(folder, recursive=recursive)
        if not entry.name.startswith(".")
        and os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122
        and not is_folder(entry)
    ]


def walk(folder: Path, *, recursive: bool = True) -> Iterator[os.DirEntry[str]]:
    """Yield all that a folder holds in the order of the names, each sub-folder before what is in it.

    Hidden folders are not entered. Links to folders are, but not in circles: none leads to a folder around it, and
    what is behind one link is entered once, however many links there lead to it.

    Raises:
        InputError: a folder that may not be read.
    """
    whole = folder.resolve()
    return _walk(os.fspath(folder), recursive, {_identity(around) for around in (whole, *whole.parents)}, linked=False)


# What tells a folder apart, by whatever link it is reached: device and number.
_Identity: TypeAlias = tuple[int, int]


def _walk(folder: str, recursive: bool, entered: set[_Identity], *, linked: bool) -> Iterator[os.DirEntry[str]]:
    """Do the work of `walk`; `entered` are the folders around this one, and all behind the same link."""
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        raise InputError(f"{folder}: expected a readable folder; permission denied") from None
    for entry in ordered:
        yield entry
        if not recursive or entry.name.startswith(".") or not is_folder(entry):
            continue
        inner, behind_link = _identity(entry.path), linked or entry.is_symlink()
        if inner in entered:
            continue
        if linked:
            entered.add(inner)
            yield from _walk(entry.path, recursive, entered, linked=True)
        else:
            yield from _walk(entry.path, recursive, entered | {inner}, linked=behind_link)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: str | os.PathLike[str]) -> _Identity:
    state = os.stat(folder)  # noqa: PTH116
    return state.st_dev, state.st_ino


def expand_sources(sources: Iterable[str | os.PathLike[str]], *, recursive: bool = False) -> list[Path]:
    """List the image files that files, folders and glob patterns name, in the order given.

    A file named outright is kept whatever its suffix; one that cannot be read becomes an error item later.

    Raises:
        InputError: a source that does not exist, or a folder or pattern without an image.
    """
    files: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            found = image_files(path, recursive=recursive)
        elif path.exists() or path.is_symlink():
            found = [path]
        elif glob.has_magic(os.fspath(source)):
            # Path.glob takes no absolute pattern.
            matches = glob.glob(os.fspath(source), recursive=True)  # noqa: PTH207
            found = sorted(Path(name) for name in matches if not Path(name).is_dir())
        else:
            raise InputError(f"{source}: not found; expected an image, a folder or a pattern")
        if not found:
            hint = "" if recursive else "; --recursive looks into sub-folders"
            raise InputError(f"{source}: expected at least one image file, got none{hint}")
        files += found
    return files
