"""Images and results that lie in an object store, named by address: `s3://bucket/prefix`, `gs://…`, `file:///…`.

pyarrow's own file systems do it (Apache-2.0, in C++, and already there as a part of the extra `ray`): they find the
credentials where every tool of the store looks for them (`AWS_ACCESS_KEY_ID`, `~/.aws`, an instance's role), and they
can be sent to other machines. Options follow a question mark: `s3://bucket/shots?endpoint_override=host:9000`.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from edgecnn_runtime.errors import ImageError, InputError, MissingExtraError
from edgecnn_runtime.sources import IMAGE_SUFFIXES

# The largest file that is fetched: about what an image of MAX_PIXELS takes without any compression.
MAX_FILE_BYTES = 512 * 2**20

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(source: str) -> bool:
    """Tell an address from a path.

    >>> is_address("s3://bucket/shots"), is_address("shots/1.jpg"), is_address("C:/shots")
    (True, False, False)
    """
    return _ADDRESS.match(source) is not None


@dataclass(frozen=True)
class StoredPlace:
    """A file or folder of a file system; it can be sent to another machine."""

    system: Any  # a pyarrow.fs.FileSystem
    path: str
    scheme: str

    @property
    def name(self) -> str:
        """Return its address, without credentials or options."""
        return self.name_of(self.path)

    def name_of(self, path: str) -> str:
        """Return the address of a path of the same file system."""
        return f"{self.scheme}://{path}"


def open_place(address: str) -> StoredPlace:
    """Find the file system of an address; for S3 this may ask for the bucket's region.

    Raises:
        InputError: an unknown kind of address, or a malformed one.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem
    except ImportError as error:
        raise MissingExtraError("Reading an object store", package="pyarrow", extra="ray") from error
    parts = urlsplit(address)
    # A message may stay in a log, so it never holds a password.
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    try:
        system, path = FileSystem.from_uri(address)
    except (ArrowException, ValueError, OSError) as error:
        reason = _reason(error).replace(address, shown)
        raise InputError(f"{shown}: expected an address such as s3://bucket/folder; {reason}") from None
    return StoredPlace(system, path.rstrip("/"), parts.scheme)


def stored_images(place: StoredPlace, *, recursive: bool = False) -> list[str]:
    """List the paths of the image files of a place, in the order of their names; a file is a list of itself.

    As in a folder of this machine, images are recognized by suffix, and hidden ones are left out.

    Raises:
        InputError: there is no such place, it cannot be read, or it holds no image.
    """
    from pyarrow.fs import FileSelector, FileType

    try:
        kind = place.system.get_file_info(place.path).type
        if kind == FileType.File:
            return [place.path]
        if kind == FileType.NotFound:
            raise InputError(f"{place.name}: not found; expected a file or folder")
        found = place.system.get_file_info(FileSelector(place.path, recursive=recursive))
    except OSError as error:
        raise InputError(f"{place.name}: expected a readable file or folder; {_reason(error)}") from error
    paths = sorted(PurePosixPath(file.path) for file in found if file.type == FileType.File)
    images = [str(path) for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]
    if not images:
        hint = "" if recursive else "; --recursive looks into sub-folders"
        raise InputError(f"{place.name}: expected at least one image file, got none{hint}")
    return images


def read_stored(place: StoredPlace, path: str) -> bytes:
    """Read a file whole.

    Raises:
        ImageError: it is gone, cannot be read, or is larger than `MAX_FILE_BYTES`.
    """
    name = place.name_of(path)
    try:
        with place.system.open_input_file(path) as file:
            if file.size() > MAX_FILE_BYTES:
                raise ImageError(f"{name}: expected a file of at most {MAX_FILE_BYTES:,} bytes, got {file.size():,}")
            content: bytes = file.read()
            return content
    except FileNotFoundError:
        raise ImageError(f"{name}: not found; expected an image file") from None
    except OSError as error:
        raise ImageError(f"{name}: expected a readable file; {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the first line of an error of pyarrow, which may append a page of the server's."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
