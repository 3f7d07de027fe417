"""Open image files that anybody may have made; what decoding them costs is bounded by their shape, before it begins.

A few thousand bytes can ask for gigabytes and hours: a PNG of 49,000,000 x 1 pixels, a TIFF of 10 x 10 pixels whose
one tile has 40,000 x 40,000, a JPEG with a scan of 75 bytes two hundred thousand times. Within these bounds an image
takes at most about 10 bytes per pixel, copies for its orientation and colours included.
"""

import contextlib
import importlib
import os
import re
import struct
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.system.file_kinds import endless_kind
from edgecnn_runtime.system.forks import in_forked_child

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# Photos of the largest telephones have 16,320 x 12,240 pixels. Decoded in RGB, 800 MB.
MAX_PIXELS = 200_000_000
# Twice the longest side of a JPEG, and of what line-scan cameras give. The table of weights to resize from 49,000,000
# pixels takes 784 MB; from as many as these, 2 MB.
MAX_SIDE = 131_072
# A progressive JPEG has about 10 scans, 18 in CMYK. Each costs 2.3 ns per pixel however few bytes it has.
_MAX_SCANS = 32
# Images of more pixels are decoded one at a time, or a folder of them would take all memory on a machine of many cores.
_MANY_PIXELS = 50_000_000
_one_at_a_time = threading.Lock()


def _renew_lock() -> None:
    global _one_at_a_time
    _one_at_a_time = threading.Lock()


in_forked_child(_renew_lock)

# What browsers and cameras send, and the modules of Pillow that read it; JPEG's reads MPO too. Pillow's other readers
# stay closed: that for EPS starts Ghostscript, those for icons and Photoshop tell another size than they decode.
FORMATS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "BMP": "BmpImagePlugin",
    "GIF": "GifImagePlugin",
    "PPM": "PpmImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
}
_EXPECTED = f"expected a whole JPEG, PNG, {', '.join(list(FORMATS)[2:-1])} or {list(FORMATS)[-1]} image"


_HEAD = 64  # bytes by which a format is recognized

# Tags of TIFF 6.0: section 8 for the kind of a picture (bit 0: a smaller version of another one), 15 for tiles.
_SUBFILE, _TILE_WIDTH, _TILE_LENGTH = 254, 322, 323
_RAW_VERSION = 50706  # of Adobe's DNG
# What a scan's data ends with: a marker that is neither a stuffed 0, a filling byte nor one to restart at.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@contextlib.contextmanager
def opened_image(source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> Iterator["ImageFile"]:
    """Open an image file whose shape is within the bounds; its pixels are decoded when they are first asked for.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: at most `MAX_PIXELS`.

    Raises:
        ImageError: missing, of another format, damaged or too large; raised while the image is used, too.
    """
    name = "image" if isinstance(source, bytes) else os.fspath(source)
    with image_errors(name, _EXPECTED, max_pixels=max_pixels), contextlib.ExitStack() as stack:
        file: BinaryIO = BytesIO(source) if isinstance(source, bytes) else stack.enter_context(_opened(source))
        image = stack.enter_context(_identified(file, name))
        check_size(name, image.size, max_pixels=max_pixels)
        _check_tiff(name, image, file, max_pixels)
        _check_scans(name, image, file)
        if image.width * image.height > _MANY_PIXELS:
            stack.enter_context(_one_at_a_time)
        yield image


@contextlib.contextmanager
def image_errors(name: str, expected: str, *, max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Turn all that Pillow and the file system raise on an image that is no whole one into an error that names it.

    Raises:
        ImageError: whatever the block raises; `expected` begins the message of what is not foreseen.
    """
    from PIL import Image

    try:
        yield
    except ImageError as error:
        text = str(error)
        raise error if text.startswith(name) else ImageError(f"{name}: {text.removeprefix('image: ')}") from error
    # One large image of many is an error of its own, whatever memory is left for the others.
    except MemoryError:
        raise ImageError(
            f"{name}: expected an image that fits into the memory this process may use; scale it down or allow more"
        ) from None
    except FileNotFoundError:
        raise ImageError(f"{name}: not found; expected an image file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: expected an image file, got a folder") from None
    except PermissionError:
        raise ImageError(f"{name}: expected a readable file, got permission denied") from None
    # Of a GIF whose picture is larger than its screen, Pillow finds the size only when it looks for it.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name}: expected an image of at most {max_pixels:,} pixels, got more") from None
    # Pillow's decoders raise many kinds on damaged files, SyntaxError and struct.error among them.
    except Exception as error:
        raise ImageError(f"{name}: {expected}; {error}") from error


def read_image_file(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of an image file, undecoded.

    Raises:
        ImageError: missing, not readable, or no file.
    """
    with image_errors(os.fspath(path), "expected a readable image file"), _opened(path) as file:
        return file.read()


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file whose end comes, at its start and fit to be sought in."""
    if endless := endless_kind(path):
        raise ImageError(f"{os.fspath(path)}: expected an image file, got {endless}")
    with open(path, "rb") as file:  # noqa: PTH123
        yield file if file.seekable() else BytesIO(file.read())


def check_size(name: str, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> None:
    """Check the shape of an image, width first, whose pixels may not be there yet.

    Raises:
        ImageError: no pixels, a side above `MAX_SIDE`, or more than `max_pixels`.
    """
    width, height = size
    if min(size) <= 0:
        raise ImageError(f"{name}: expected an image with pixels, got {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: expected an image of at most {max_pixels:,} pixels, got {width} x {height} pixels; "
            "scale it down first"
        )
    if max(size) > MAX_SIDE:
        raise ImageError(
            f"{name}: expected an image of at most {MAX_SIDE:,} pixels per side, got {width} x {height} pixels; "
            "cut it into pieces first"
        )


def load_readers() -> None:
    """Import Pillow's readers of all formats, which takes longer than most images."""
    for module in FORMATS.values():
        # Pillow has no module for AVIF before 11.3.
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"PIL.{module}")


def _identified(file: BinaryIO, name: str) -> "ImageFile":
    """Do what `Image.open` does, which would refuse or warn by a bound of its own that a whole program shares."""
    from PIL import Image

    head = file.read(_HEAD)
    for kind, module in FORMATS.items():
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"PIL.{module}")
        # Some builds lack a library; the answer is then a text.
        factory, accept = Image.OPEN.get(kind, (None, None))
        if factory is None or accept is None or accept(head[:16]) is not True:
            continue
        file.seek(0)
        try:
            return factory(file, "" if isinstance(file, BytesIO) else name)
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            from edgecnn_runtime.other_formats import other_format

            got = other_format(head, name) or f"a damaged {kind}; {error}"
            raise ImageError(f"{name}: {_EXPECTED}, got {got}") from error
    from edgecnn_runtime.other_formats import other_format

    got = other_format(head, name) or ("something else" if head else "no bytes")
    raise ImageError(f"{name}: {_EXPECTED}, got {got}")


def _check_tiff(name: str, image: "ImageFile", file: BinaryIO, max_pixels: int) -> None:
    """Check the tiles of a TIFF: one is decoded whole, however little of it the image shows. Refuse a mere preview."""
    if image.format != "TIFF":
        return
    from edgecnn_runtime.other_formats import RAW

    tags = image.tag_v2  # type: ignore[attr-defined]
    if _TILE_WIDTH in tags and _TILE_LENGTH in tags:
        check_size(f"{name}: a tile of it", (tags[_TILE_WIDTH], tags[_TILE_LENGTH]), max_pixels=max_pixels)
    position = file.tell()
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(position)
    # Most raw photos are TIFFs that begin with a small preview.
    if _RAW_VERSION in tags or tags.get(_SUBFILE, 0) & 1 or RAW.is_format_of(head, name):
        raise ImageError(f"{name}: {_EXPECTED}, got {RAW}")


def _check_scans(name: str, image: "ImageFile", file: BinaryIO) -> None:
    """Check that a JPEG does not pass over its pixels again and again."""
    if image.format not in ("JPEG", "MPO"):
        return
    position = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(position)
    # A quick look, which nearly every file passes; the marker may also stand in what is no scan, as in a thumbnail.
    if content.count(bytes((0xFF, _START_OF_SCAN))) > _MAX_SCANS and (scans := _scans(content)) > _MAX_SCANS:
        raise ImageError(
            f"{name}: expected a JPEG of at most {_MAX_SCANS} scans, got {scans:,}; save it anew, not progressive"
        )


def _scans(content: bytes) -> int:
    """Count the scans of the first image of a JPEG file (ITU T.81, annex B)."""
    scans, position = 0, 2
    while found := _AFTER_SCAN.search(content, position):
        marker = content[found.end() - 1]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        position = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
    return scans
