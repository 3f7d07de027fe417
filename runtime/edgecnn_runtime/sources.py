"""From what a user names (files, folders, patterns) to the list of image files."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgecnn_runtime.errors import InputError

# What Pillow reads and a camera or a person writes; in a folder, other files are passed over.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def image_files(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List the image files of a folder, recognized by suffix, in the order of their names; not the hidden ones.

    Each folder is read once and no file is looked at, so that a million files take seconds. Links to folders are not
    followed.

    Raises:
        InputError: a folder that may not be read.
    """
    return [Path(name) for name in _names(os.fspath(folder), recursive)]


def _names(folder: str, recursive: bool) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        raise InputError(f"{folder}: expected a readable folder; permission denied") from None
    for entry in ordered:
        if entry.is_dir():
            if recursive and not entry.is_symlink():
                yield from _names(entry.path, recursive)
        elif not entry.name.startswith(".") and os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
            yield entry.path


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
