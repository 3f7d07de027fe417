"""What a folder of images may hold besides plain images: more than sixty files, each with what must come of it."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# A picture that every right reading recognises: its left half is dark, its right half bright.
WIDTH, HEIGHT = 48, 32


def picture(mode: str = "RGB") -> Image.Image:
    pixels = np.full((HEIGHT, WIDTH), 20, np.uint8)
    pixels[:, WIDTH // 2 :] = 230
    return Image.fromarray(pixels).convert(mode)


@dataclass(frozen=True)
class Hostile:
    """A file and its outcome: `right`, an image like `picture`, or an error that holds these words."""

    write: Callable[[Path], None]
    error: str | None = None  # None: it is read, and read right


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    (picture() if image is None else image).save(stream, kind, **options)
    return stream.getvalue()


def _content(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None  # type: ignore[return-value]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *, depth: int = 8, colour: int = 0, data: bytes = b"", before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + before + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def filled_png(width: int, height: int, *, colour: int = 0) -> bytes:
    """Return a whole PNG of zeros: colour 0 is grey, 2 RGB, 6 RGBA."""
    row = bytes(1 + width * {0: 1, 2: 3, 6: 4}[colour])
    packer, rows = zlib.compressobj(9), max(1, (1 << 20) // len(row))
    parts = [packer.compress(row * min(rows, height - top)) for top in range(0, height, rows)]
    return _png(width, height, colour=colour, data=b"".join([*parts, packer.flush()]))


def tiled_tiff(side: int) -> bytes:
    """Return a TIFF of 10 x 10 grey pixels, that are the corner of one deflated tile of `side` x `side`."""
    packer = zlib.compressobj(9)
    tile = b"".join([*(packer.compress(bytes(side)) for _ in range(side)), packer.flush()])
    # Width, height, bits, compression, grey, samples; width, height, place and bytes of the tile.
    tags = {256: 10, 257: 10, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(tile)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg_of_scans(more: int, image: Image.Image | None = None) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    content = encoded("jpeg", image, progressive=True)
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * more + content[-2:]


def _oriented(orientation: int) -> bytes:
    turned = {
        1: picture(), 2: picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: picture().transpose(Image.Transpose.ROTATE_180), 4: picture().transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: picture().transpose(Image.Transpose.TRANSPOSE), 6: picture().transpose(Image.Transpose.ROTATE_90),
        7: picture().transpose(Image.Transpose.TRANSVERSE), 8: picture().transpose(Image.Transpose.ROTATE_270),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded("jpeg", turned, exif=exif, quality=95)


def _palette_with_transparency() -> bytes:
    # Entry 0 is bright and transparent: on a white ground it stays bright.
    image = Image.fromarray((np.asarray(picture("L")) < 128).astype(np.uint8), mode="P")
    image.putpalette([230, 230, 230, 20, 20, 20])
    return encoded("png", image, transparency=0)


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(picture("L")).astype(np.uint16) * 257)


def _animated(kind: str) -> bytes:
    return encoded(kind, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), c) for c in ("red", "blue")])


def _polyglot() -> bytes:
    stream = io.BytesIO(encoded("png"))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("../../evil.txt", "zip slip")
    return stream.getvalue()


def _zip_slip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../../tmp/evil.png", encoded("png"))
    return stream.getvalue()


_JPEG, _PNG = encoded("jpeg", quality=95), encoded("png")
_NO_IMAGE, _CUT = "whole JPEG, PNG", ""


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _forbidden(path: Path) -> None:
    path.write_bytes(_PNG)
    path.chmod(0)


HOSTILE: dict[str, Hostile] = {
    # What is an image, and must be read right.
    **{f"exif-{n}.jpg": Hostile(_content(_oriented(n))) for n in range(1, 9)},
    "grey.jpg": Hostile(_content(encoded("jpeg", picture("L"), quality=95))),
    "cmyk.jpg": Hostile(_content(encoded("jpeg", picture("CMYK"), quality=95))),
    "32-scans.jpg": Hostile(_content(jpeg_of_scans(22, picture()))),
    "progressive.jpg": Hostile(_content(encoded("jpeg", quality=95, progressive=True))),
    "bytes-behind-its-end.jpg": Hostile(_content(_JPEG + b"\0" * 5000)),
    "16-bit.png": Hostile(_content(encoded("png", _sixteen_bit()))),
    "16-bit.tif": Hostile(_content(encoded("tiff", _sixteen_bit()))),
    "1-bit.png": Hostile(_content(encoded("png", picture("1")))),
    "1-bit.tif": Hostile(_content(encoded("tiff", picture("1"), compression="group4"))),
    "palette.png": Hostile(_content(encoded("png", picture("P")))),
    "palette-transparent.png": Hostile(_content(_palette_with_transparency())),
    "grey-alpha.png": Hostile(_content(encoded("png", picture("LA")))),
    "rgba.png": Hostile(_content(encoded("png", picture("RGBA")))),
    "rgba.webp": Hostile(_content(encoded("webp", picture("RGBA"), lossless=True))),
    "rgba.tif": Hostile(_content(encoded("tiff", picture("RGBA")))),
    "cmyk.tif": Hostile(_content(encoded("tiff", picture("CMYK")))),
    "lab.tif": Hostile(_content(encoded("tiff", picture("L").convert("RGB"), compression="tiff_lzw"))),
    "plain.avif": Hostile(_content(encoded("avif"))),
    "two-pictures.mpo": Hostile(_content(_animated("mpo"))),
    "plain.JFIF": Hostile(_content(_JPEG)),
    "plain.jpe": Hostile(_content(_JPEG)),
    "plain.bmp": Hostile(_content(encoded("bmp"))),
    "plain.gif": Hostile(_content(encoded("gif"))),
    "plain.ppm": Hostile(_content(encoded("ppm"))),
    "plain.pgm": Hostile(_content(encoded("ppm", picture("L")))),
    "animated.gif": Hostile(_content(_animated("gif"))),
    "animated.webp": Hostile(_content(encoded("webp", save_all=True, append_images=[picture()], lossless=True))),
    "animated.png": Hostile(_content(_animated("png"))),
    "two-pages.tif": Hostile(_content(_animated("tiff"))),
    "png-named.jpg": Hostile(_content(_PNG)),
    "jpeg-named.png": Hostile(_content(_JPEG)),
    "LOUD.JPEG": Hostile(_content(_JPEG)),
    "zip-behind-it.png": Hostile(_content(_polyglot())),
    "name with spaces, ünïcödé and 中.png": Hostile(_content(_PNG)),
    "-dash.png": Hostile(_content(_PNG)),
    "new\nline.png": Hostile(_content(_PNG)),
    "tab\tand\x1b[31mred.png": Hostile(_content(_PNG)),
    "..%2f..%2fetc%2fpasswd.png": Hostile(_content(_PNG)),
    "..\\..\\evil.png": Hostile(_content(_PNG)),
    "[brackets]*.png": Hostile(_content(_PNG)),
    "n" * 240 + ".png": Hostile(_content(_PNG)),
    os.fsdecode(b"\xff\xfe-not-utf8.png"): Hostile(_content(_PNG)),
    "link.png": Hostile(_link("zip-behind-it.png")),
    # What is none, or not whole.
    "empty.jpg": Hostile(_content(b""), _NO_IMAGE),
    "empty.png": Hostile(_content(b""), _NO_IMAGE),
    "one-byte.jpg": Hostile(_content(b"\xff"), _NO_IMAGE),
    "page.jpg": Hostile(_content(b"<!DOCTYPE html><html><body>404 not found</body></html>"), _NO_IMAGE),
    "text.png": Hostile(_content(b"hello\n" * 100), _NO_IMAGE),
    "script.gif": Hostile(_content(b"#!/bin/sh\nrm -rf /\n"), _NO_IMAGE),
    "vector.png": Hostile(_content(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), _NO_IMAGE),
    "archive.png": Hostile(_content(_zip_slip()), _NO_IMAGE),
    "zeros.jpg": Hostile(_content(bytes(10_000)), _NO_IMAGE),
    "noise.png": Hostile(_content(np.random.default_rng(0).bytes(10_000)), _NO_IMAGE),
    "head-only.jpg": Hostile(_content(_JPEG[:20]), _NO_IMAGE),
    "cut.jpg": Hostile(_content(_JPEG[: len(_JPEG) // 2]), _NO_IMAGE),
    "cut-at-its-end.jpg": Hostile(_content(_JPEG[:-30]), "truncated"),
    "cut.png": Hostile(_content(_PNG[: len(_PNG) // 2]), _NO_IMAGE),
    "cut.gif": Hostile(_content(encoded("gif")[:60]), _NO_IMAGE),
    "cut.bmp": Hostile(_content(encoded("bmp")[:500]), _NO_IMAGE),
    "cut.webp": Hostile(_content(encoded("webp")[:40]), _NO_IMAGE),
    "cut.tif": Hostile(_content(encoded("tiff")[:300]), _NO_IMAGE),
    "cut.ppm": Hostile(_content(encoded("ppm")[:300]), _NO_IMAGE),
    "header-only.png": Hostile(_content(_PNG[:33]), _NO_IMAGE),
    "wrong-checksum.png": Hostile(_content(_PNG[:25] + b"\xff" + _PNG[26:]), _NO_IMAGE),
    "no-pixels.png": Hostile(_content(_png(48, 32)), _NO_IMAGE),
    "no-width.png": Hostile(_content(_png(0, 32)), _NO_IMAGE),
    # What a few bytes make large; see test_image_bounds.py for what it costs.
    "bomb.png": Hostile(_content(_png(60_000, 60_000, data=zlib.compress(bytes(1000)))), "got 60000 x 60000 pixels"),
    "small-bomb.png": Hostile(_content(_png(14_500, 14_500, data=zlib.compress(bytes(1000)))), "200,000,000 pixels"),
    "wide-bomb.png": Hostile(_content(_png(2**31 - 1, 1)), "200,000,000 pixels"),
    **{f"strip-{w}x{h}-{colour}.png": Hostile(_content(filled_png(w, h, colour=colour)), "131,072 pixels per side")
       for w, h, colour in ((49_000_000, 1, 0), (1, 49_000_000, 0), (2, 131_073, 6), (131_073, 2, 2))},
    "tile.tif": Hostile(_content(tiled_tiff(16_000)), "a tile of it: expected"),
    "scans.jpg": Hostile(_content(jpeg_of_scans(40)), "at most 32 scans, got"),
    "bomb.bmp": Hostile(
        _content(b"BM" + struct.pack("<IIIIiiHHIIIIII", 70, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0)),
        "at most 200,000,000 pixels",
    ),
    "bomb.ppm": Hostile(_content(b"P6 50000 50000 255\n"), "at most 200,000,000 pixels"),
    "postscript.png": Hostile(_content(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), _NO_IMAGE),
    "icon.png": Hostile(_content(encoded("ico")), _NO_IMAGE),
    **{f"{kind.decode()}-bomb.png": Hostile(
        _content(_png(8, 8, before=_chunk(kind, b"k\0\0" + zlib.compress(bytes(2_000_000))))), _NO_IMAGE)
       for kind in (b"zTXt", b"iCCP")},
    "bomb.gif": Hostile(_content(b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0"), _NO_IMAGE),
    "8-bit-values-in-16-bit.png": Hostile(
        _content(encoded("png", Image.fromarray(np.asarray(picture("L")).astype(np.uint16)))), "white near 65,535"),
    "32-bit.tif": Hostile(_content(encoded("tiff", Image.new("F", (9, 9), 0.5))), "32-bit values"),
    # What is an image for people, and named.
    "phone.HEIC": Hostile(_content(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(90)), "the package pillow-heif"),
    "phone-of-another-brand.heif": Hostile(
        _content(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(90)), "the package pillow-heif"),
    "no-more-than-its-name.heic": Hostile(_content(b"damaged"), "got HEIC; convert it"),
    "raw.cr2": Hostile(_content(b"II*\0\x10\0\0\0CR\2\0" + bytes(90)), "the package rawpy"),
    "raw.dng": Hostile(_content(encoded("tiff")), "got a raw photo of a camera"),
    "preview.tif": Hostile(_content(encoded("tiff", tiffinfo={254: 1})), "got a raw photo of a camera"),
    "drawing.psd": Hostile(_content(b"8BPS" + bytes(90)), "got a Photoshop file; export it"),
    "drawing.svg": Hostile(_content(b'<?xml version="1.0"?><svg/>'), "got SVG; draw it"),
    "wavelets.jp2": Hostile(_content(b"\0\0\0\x0cjP  \r\n\x87\n"), "got JPEG 2000"),
    "pipe.png": Hostile(lambda path: os.mkfifo(path), "got a pipe"),
    "device.png": Hostile(_link("/dev/zero"), "got a device"),
    "folder.png": Hostile(lambda path: path.mkdir(), "got a folder"),
    "broken-link.png": Hostile(_link("nowhere.png"), "not found"),
    "link-to-itself.png": Hostile(_link("link-to-itself.png"), ""),
    "link-to-a-folder.png": Hostile(_link("folder.png"), "got a folder"),
    "forbidden.png": Hostile(_forbidden, "permission denied"),
}  # fmt: skip


def write_hostile(folder: Path) -> dict[str, Path]:
    """Write all of them; a system that cannot have one of these names leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, hostile in HOSTILE.items():
        path = folder / name
        try:
            hostile.write(path)
        except OSError:
            continue
        written[name] = path
    return written
