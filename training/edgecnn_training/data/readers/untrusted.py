"""Reading files that may be damaged or made to do harm: no claim of a header is believed before it is checked."""

import contextlib
import csv
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from edgecnn_runtime.errors import DataError

# Far above every set in these formats (EMNIST, the largest, has 640 MB): anything larger is taken for a bomb.
MAX_BYTES = 1 << 30


def read_exactly(file: IO[bytes], size: int, *, name: str) -> bytes:
    """Read `size` bytes.

    Raises:
        DataError: `size` is above `MAX_BYTES`, the file ends earlier, or its compression is damaged.
    """
    if size > MAX_BYTES:
        raise DataError(f"{name}: expected at most {MAX_BYTES:,} bytes, its header claims {size:,}")
    with damage_as_data_error(name):
        content = file.read(size)
    if len(content) != size:
        raise DataError(
            f"{name}: expected a complete file, got one that is cut short ({size:,} bytes here, "
            f"{len(content):,} came); fetch it again"
        )
    return content


def refuse_rest(file: IO[bytes], *, name: str) -> None:
    """Check that the file ends here, which also lets gzip and zip compare their checksums.

    Raises:
        DataError: there is more, or the checksum is another one.
    """
    with damage_as_data_error(name):
        more = file.read(1)
    if more:
        raise DataError(f"{name}: expected as many bytes as its header says, got more; fetch it again")


@contextlib.contextmanager
def damage_as_data_error(name: str) -> Iterator[None]:
    """Turn what gzip, zip, csv and numpy raise on damaged files into a DataError that names the file."""
    try:
        yield
    except (DataError, PermissionError):
        raise
    # zipfile: RuntimeError for a password, NotImplementedError for a compression; numpy: ValueError for a header.
    except (
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        csv.Error,
    ) as error:
        raise DataError(f"{name}: expected a complete file, got a damaged one ({error}); fetch it again") from error
