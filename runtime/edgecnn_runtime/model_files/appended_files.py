"""Read the files that a zip at the end of a model file holds.

The module `zipfile` does it, too; with shutil, bz2 and lzma, which it imports, it takes a device as long to load as a
small model takes to open. Here are files stored or deflated, of one disk and below 4 GB, as TFLite Metadata are.

The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
"""

import struct
import zlib
from typing import BinaryIO

_END, _END_MARK = struct.Struct("<4s4H2LH"), b"PK\5\6"  # of the list of files, at the end of a zip
_ENTRY, _ENTRY_MARK = struct.Struct("<4s6H3L5H2L"), b"PK\1\2"  # of the list
_HEADER, _HEADER_MARK = struct.Struct("<4s5H3L2H"), b"PK\3\4"  # before the content of each file
_LONGEST_COMMENT = 0xFFFF
_ENCRYPTED = 1  # bit of the flags
_STORED, _DEFLATED = 0, 8


class AppendedFile:
    """A file in the zip."""

    def __init__(self, entry: tuple[int, ...], shift: int) -> None:
        """Take the fields of an entry, and how far behind the start of the model its offset counts from."""
        _, _, _, self._flags, self._method, _, _, self._crc, self._packed, self.size = entry[:10]
        self.start = entry[16] + shift  # of what belongs to it, in the model file

    def read(self, file: BinaryIO) -> bytes:
        """Return the content, of `size` bytes.

        Raises:
            ValueError, struct.error, zlib.error: damaged, encrypted, or packed in another way.
        """
        file.seek(self.start)
        mark, *_, name, extra = _HEADER.unpack(file.read(_HEADER.size))
        if mark != _HEADER_MARK or self._flags & _ENCRYPTED or self._method not in (_STORED, _DEFLATED):
            raise ValueError("a damaged, encrypted or otherwise packed file")
        file.seek(name + extra, 1)
        content = file.read(self._packed)
        if self._method == _DEFLATED:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, self.size + 1)
        if len(content) != self.size or zlib.crc32(content) != self._crc:
            raise ValueError("a damaged file")
        return content


def appended_files(file: BinaryIO) -> dict[str, AppendedFile]:
    """List the files of the zip at the end of a file; none where there is no zip.

    Raises:
        ValueError, struct.error: damaged.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or place + _END.size > len(tail):
        return {}
    *_, count, size, offset, _ = _END.unpack_from(tail, place)
    # Some writers count from the start of the zip, others from the start of the file.
    start = length - len(tail) + place - size
    file.seek(start)
    listed = file.read(size)
    found, place = {}, 0
    for _ in range(count):
        entry = _ENTRY.unpack_from(listed, place)
        if entry[0] != _ENTRY_MARK:
            raise ValueError("a damaged list of files")
        place += _ENTRY.size
        name = listed[place : place + entry[10]].decode("utf-8", "replace")
        found[name] = AppendedFile(entry, start - offset)
        place += entry[10] + entry[11] + entry[12]
    return found
