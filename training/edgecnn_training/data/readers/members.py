"""Folders and zip archives, looked through and read alike, gzipped files decompressed on the way."""

import contextlib
import gzip
import io
import itertools
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.preprocess import ImageSource
from edgecnn_runtime.sources import is_folder, walk
from edgecnn_training.data.readers.untrusted import MAX_BYTES, damage_as_data_error

_GZIP_MAGIC = b"\x1f\x8b"

# How deep files are looked for: `MNIST/raw/train-images-idx3-ubyte` is at depth 3.
_DEPTH = 3

# Above every encoded photo: a member that unpacks to more is taken for a bomb.
_MAX_IMAGE_BYTES = 1 << 28
# So is one of more bytes that unpacks to so many times what it has: drawings as BMP come to 50, zeros to 1,000.
_SMALL_BYTES, _MAX_RATIO = 1 << 25, 100
# Above every real path. Each folder above a file is entered, so that one name of 64 kB could take a gigabyte.
_MAX_FOLDERS = 32


class Members(Protocol):
    """Files in one place."""

    path: Path

    def find(self, names: Sequence[str]) -> str | None:
        """Return the member that has one of these base names, the earlier name first, then the shallowest."""

    def files(self) -> list[str]:
        """List all members, with `/` between folders."""

    def folders(self) -> list[str]:
        """List all folders, those without files too."""

    def images(self, members: Sequence[str]) -> Iterable[ImageSource]:
        """Return these members as images; each pass over them reads them again."""

    def describe(self, member: str) -> str:
        """Name one member, for messages."""

    def open(self, member: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open one member for reading, decompressed where it is gzipped."""


class FolderMembers:
    """The files of a folder and of its sub-folders."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, names: Sequence[str]) -> str | None:
        """Return the member that has one of these base names, the earlier name first, then the shallowest."""
        for name in names:
            for depth in range(_DEPTH):
                for found in sorted(self.path.glob("*/" * depth + name)):
                    if found.is_file():
                        return str(found.relative_to(self.path))
        return None

    def files(self) -> list[str]:
        """List all members, with `/` between folders."""
        return sorted(self._name(entry) for entry in walk(self.path) if not is_folder(entry))

    def folders(self) -> list[str]:
        """List all folders, those without files too."""
        return sorted(self._name(entry) for entry in walk(self.path) if is_folder(entry))

    def images(self, members: Sequence[str]) -> Iterable[ImageSource]:
        """Return these members as images; each pass over them reads them again."""
        return [self.path / member for member in members]

    def describe(self, member: str) -> str:
        """Name one member, for messages."""
        return str(self.path / member)

    @contextlib.contextmanager
    def open(self, member: str) -> Iterator[BinaryIO]:
        """Open one member for reading, decompressed where it is gzipped."""
        with (self.path / member).open("rb") as file, _decompressed(file) as content:
            yield content

    def _name(self, entry: os.DirEntry[str]) -> str:
        return Path(entry.path).relative_to(self.path).as_posix()


class ZipMembers:
    """The files of a zip archive, read without unpacking it to disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with damage_as_data_error(str(path)):
            self._archive = zipfile.ZipFile(path)
        deep = next((info for info in self._archive.infolist() if info.filename.count("/") > _MAX_FOLDERS), None)
        if deep is not None:
            raise DataError(
                f"{path}: expected at most {_MAX_FOLDERS} folders in one another, got {deep.filename.count('/'):,} "
                f"({deep.filename[:20]}…); pack it again"
            )

    def __enter__(self) -> "ZipMembers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def find(self, names: Sequence[str]) -> str | None:
        """Return the member that has one of these base names, the earlier name first, then the shallowest."""
        files = sorted(map(PurePosixPath, self.files()), key=lambda path: (len(path.parts), str(path)))
        return next((str(path) for name in names for path in files if path.name == name), None)

    def files(self) -> list[str]:
        """List all members, with `/` between folders."""
        files = [info.filename for info in self._archive.infolist() if not info.is_dir()]
        # What macOS adds to a zip has the names of the files it belongs to.
        return sorted(name for name in files if "__MACOSX" not in PurePosixPath(name).parts)

    def folders(self) -> list[str]:
        """List all folders, those without files too."""
        # An archive need not list the folders of its files.
        names = [str(PurePosixPath(info.filename)) for info in self._archive.infolist() if info.is_dir()]
        above = {str(folder) for name in [*self.files(), *names] for folder in PurePosixPath(name).parents}
        return sorted({*names, *above} - {"."})

    def images(self, members: Sequence[str]) -> Iterable[ImageSource]:
        """Return these members as images; each pass over them reads them again."""
        return ZippedImages(self.path, members)

    def describe(self, member: str) -> str:
        """Name one member, for messages."""
        return f"{self.path}:{member}"

    def read_image_file(self, member: str) -> bytes:
        """Read one member; nothing where its compression is damaged, so that one image does not end the set."""
        with contextlib.suppress(DataError), damage_as_data_error(member), self._opened(member) as file:
            content = file.read(_MAX_IMAGE_BYTES + 1)
            if len(content) <= _MAX_IMAGE_BYTES:
                return content
        return b""

    def _opened(self, member: str) -> IO[bytes]:
        info = self._archive.getinfo(member)
        packed = min(info.compress_size, self.path.stat().st_size)
        if info.file_size > max(_SMALL_BYTES, _MAX_RATIO * packed):
            raise DataError(
                f"{self.describe(member)}: expected at most {_MAX_RATIO} times its {packed:,} bytes when it is "
                f"unpacked, got {info.file_size:,}; pack it again, uncompressed"
            )
        return self._archive.open(info)

    @contextlib.contextmanager
    def open(self, member: str) -> Iterator[BinaryIO]:
        """Open one member for reading, decompressed where it is gzipped."""
        name = self.describe(member)
        with damage_as_data_error(name), self._opened(member) as file:
            # In memory, because an archive within the archive seeks back and forth.
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{name}: expected at most {MAX_BYTES:,} bytes, got more")
        with _decompressed(io.BytesIO(content)) as decompressed:
            yield decompressed


@dataclass(frozen=True)
class ZippedImages:
    """Image files in an archive, read one by one; the archive is opened anew for each pass."""

    path: Path
    members: Sequence[str]

    def __iter__(self) -> Iterator[bytes]:
        with ZipMembers(self.path) as archive:
            for member in self.members:
                yield archive.read_image_file(member)

    def chosen(self, mask: NDArray[np.bool_]) -> "ZippedImages":
        """Return some of them, unread."""
        return ZippedImages(self.path, list(itertools.compress(self.members, mask)))


@contextlib.contextmanager
def opened_members(path: Path, *, layout: str) -> Iterator[Members]:
    """Open a folder or a zip archive.

    Args:
        path: of either.
        layout: what is expected of it, for the message.

    Raises:
        DataError: neither.
    """
    if path.is_dir():
        yield FolderMembers(path)
    elif path.suffix.lower() == ".zip" and path.exists():
        with ZipMembers(path) as members:
            yield members
    else:
        if not path.exists():
            raise DataError(f"{path}: not found; expected {layout}")
        raise DataError(f"{path}: expected {layout}, got another file")


@contextlib.contextmanager
def _decompressed(file: BinaryIO) -> Iterator[BinaryIO]:
    """Recognize gzip by its first bytes, not by its name: browsers unpack files and keep the suffix."""
    compressed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    if compressed:
        with gzip.open(file, "rb") as content:
            yield content  # type: ignore[misc]
    else:
        yield file
