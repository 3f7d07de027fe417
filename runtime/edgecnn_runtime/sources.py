"""From what a user names (files, folders, patterns) to the list of image files."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from edgecnn_runtime.errors import InputError

# What Pillow reads and a camera or a person writes; in a folder, other files are passed over.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


def image_files(folder: Path, *, recursive: bool = False) -> list[Path]:
    """List the image files of a folder, told by suffix, in the order of their names; not the hidden ones."""
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in found
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )


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
            raise InputError(f"{source}: an image, a folder or a pattern expected, no such file or folder")
        if not found:
            hint = "" if recursive else "; --recursive looks into sub-folders"
            raise InputError(f"{source}: at least one image file expected, got none{hint}")
        files += found
    return files
