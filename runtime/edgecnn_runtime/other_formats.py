"""Image files that are not read here: each is named by what it is, with what to do, so that none is passed over."""

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class OtherFormat:
    """What people take for an image too, and none of these readers reads."""

    title: str
    advice: str
    suffixes: tuple[str, ...]
    begins: bytes  # a pattern

    def is_format_of(self, head: bytes, name: str) -> bool:
        """Tell whether a file is of this format, by its first bytes or its name."""
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
        return suffix in self.suffixes or re.match(self.begins, head, re.DOTALL) is not None

    def __str__(self) -> str:
        return f"{self.title}; {self.advice}"


RAW = OtherFormat(
    "a raw photo of a camera",
    "develop it, for example with the package rawpy",
    (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    rb".{4}ftypcrx |II\*\0.{4}CR|IIU\0|IIRO|FUJIFILM",
)
OTHER_FORMATS = (
    OtherFormat(
        "HEIC",
        "convert it, for example with the package pillow-heif",
        (".heic", ".heics", ".heif", ".heifs", ".hif"),
        rb".{4}ftyp.*(hei[cxms]|hev[cxms])",
    ),
    OtherFormat("AVIF, which this Pillow cannot read", "update Pillow to 11.3 or later", (), rb".{4}ftypavi[fs]"),
    RAW,
    OtherFormat(
        "JPEG XL",
        "convert it, for example with the package pillow-jxl-plugin",
        (".jxl",),
        rb"\xff\x0a|\0{3}\x0cJXL ",
    ),
    OtherFormat("JPEG 2000", "convert it to PNG", (".jp2", ".j2k", ".jpx", ".jpf"), rb"\xff\x4f\xff\x51|\0{3}\x0cjP  "),
    OtherFormat("a Photoshop file", "export it as PNG", (".psd", ".psb"), rb"8BPS"),
    OtherFormat("a Targa image", "convert it to PNG", (".tga",), rb"(?!)"),
    OtherFormat("an icon", "export it as PNG", (".ico",), rb"\0\0\x01\0"),
    OtherFormat(
        "an HDR image", "bring its values to 0…255, as PNG", (".exr", ".hdr"), rb"\x76\x2f\x31\x01|#\?RADIANCE"
    ),
    OtherFormat("a page", "draw it as PNG", (".eps",), rb"%PDF|%!PS"),
    OtherFormat("SVG", "draw it as PNG", (".svg", ".svgz"), rb"(\xef\xbb\xbf)?\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)"),
)


def other_format(head: bytes, name: str) -> str | None:
    """Say which of these formats a file is of, by its first bytes or else its name, and what to do with it.

    >>> other_format(b"8BPS", "drawing.png")
    'a Photoshop file; export it as PNG'
    """
    by_content = (known for known in OTHER_FORMATS if known.is_format_of(head, ""))
    by_name = (known for known in OTHER_FORMATS if known.is_format_of(b"", name))
    found = next(by_content, None) or next(by_name, None)
    return str(found) if found else None
