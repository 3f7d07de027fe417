"""What a user may name as a source: a camera, a Raspberry Pi camera, an address or a video file."""

import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from edgecnn_runtime.errors import SourceError

SCHEMES = ("rtsp", "rtsps", "http", "https")
_EXPECTED = "expected a camera's number, a video file, picamera, or an address (rtsp://, http://)"


class SourceKind(Enum):
    """How a source is opened."""

    CAMERA = auto()
    PICAMERA = auto()
    ADDRESS = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class CaptureSource:
    """A source as it was named; `name` is for people and hides a password."""

    kind: SourceKind
    name: str
    target: int | str


def parse_source(source: int | str | os.PathLike[str]) -> CaptureSource:
    """Tell what kind of source a user means.

    Args:
        source: 0 or "0" for the first camera, "/dev/video0", "picamera" or "picamera:1", an address, or a file.

    Raises:
        SourceError: none of these, or a file that does not exist.

    >>> parse_source("rtsp://me:secret@10.0.0.5/live").name
    'rtsp://me:***@10.0.0.5/live'
    """
    text = os.fspath(source) if not isinstance(source, int) else str(source)
    if text.isdecimal():
        return CaptureSource(SourceKind.CAMERA, f"camera {int(text)}", int(text))
    model, _, number = text.partition(":")
    if model == "picamera" and (number or "0").isdecimal():
        return CaptureSource(SourceKind.PICAMERA, text, int(number or 0))
    if "://" in text:
        scheme = text.partition("://")[0].lower()
        if scheme not in SCHEMES:
            raise SourceError(f"{_without_password(text)}: {_EXPECTED}, got the scheme {scheme}://")
        return CaptureSource(SourceKind.ADDRESS, _without_password(text), text)
    path = Path(text)
    if path.is_char_device():
        return CaptureSource(SourceKind.CAMERA, text, text)
    if path.is_dir():
        raise SourceError(f"{text}: {_EXPECTED}, got a folder; 'edgecnn predict' takes folders of images")
    if not path.exists():
        camera = text.startswith("/dev/")
        raise SourceError(f"{text}: not found; {_EXPECTED}{'; is the camera plugged in?' if camera else ''}")
    # Whole, so that nothing in the name is taken for an address or a pattern.
    return CaptureSource(SourceKind.FILE, text, str(path.resolve()))


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    if parts.password is None:
        return address
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))
