"""Cameras, video files and network streams: what a user names in, frames out.

    with open_capture(0) as capture:           # or "video.mp4", "rtsp://…", "http://…", "picamera"
        while frame := capture.newest(after=number):
            number = frame.number

A live source keeps the newest frame only; a file gives every frame in order. OpenCV and picamera2 are imported when
a source needs them.
"""

import os
from typing import Protocol

from edgecnn_runtime.video.capture.device import Device, Picture
from edgecnn_runtime.video.capture.frame import Event, EventKind, Frame
from edgecnn_runtime.video.capture.source import CaptureSource, SourceKind, parse_source

__all__ = ["Capture", "Device", "Event", "EventKind", "Frame", "Picture", "open_capture", "parse_source"]


class Capture(Protocol):
    """An opened source, and a context manager that closes it."""

    name: str
    # Whether only the newest frame is kept.
    live: bool

    @property
    def dropped(self) -> int:
        """Frames that nobody took before a newer one came."""

    @property
    def damaged(self) -> int:
        """Frames of a file so far that could not be decoded."""

    @property
    def lost(self) -> bool:
        """Whether the camera is gone at the moment."""

    @property
    def frozen(self) -> bool:
        """Whether the camera gives the same picture, or none, at the moment."""

    def newest(self, after: int = 0, *, timeout: float | None = None) -> Frame | None:
        """Wait for a frame with a number above `after`: the newest, or of a file the next; None: the source ended.

        Raises:
            TimeoutError: none came within `timeout` seconds.
        """

    def take_events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""

    def close(self) -> None:
        """Give the source back."""

    def __enter__(self) -> "Capture": ...

    def __exit__(self, *error: object) -> None: ...


def open_capture(source: int | str | os.PathLike[str], *, realtime: bool = False) -> Capture:
    """Open a camera, a video file or a network stream.

    Args:
        source: 0 or "0" for the first camera, "/dev/video0", "picamera", `rtsp://…`, `http://…`, or a video file.
        realtime: play a file at its own pace and keep the newest frame only, as if it were a camera.

    Raises:
        SourceError: not there, not readable, or without a picture.
        MissingExtraError: OpenCV is not installed.
    """
    from edgecnn_runtime.video.capture.every import EveryFrame
    from edgecnn_runtime.video.capture.newest import NewestFrames
    from edgecnn_runtime.video.capture.paced import PacedDevice

    wanted = parse_source(source)
    first = _open_device(wanted)
    if not first.live:
        if realtime:
            return NewestFrames(lambda: PacedDevice(first), wanted.name, ends=True)
        return EveryFrame(first, wanted.name)
    opened: list[Device] = [first]
    return NewestFrames(lambda: opened.pop() if opened else _open_device(wanted), wanted.name)


def _open_device(source: CaptureSource) -> Device:
    if source.kind is SourceKind.PICAMERA:
        from edgecnn_runtime.video.capture.picamera import PiCameraDevice

        assert isinstance(source.target, int)
        return PiCameraDevice(source.target)
    from edgecnn_runtime.video.capture.opencv import OpenCVDevice

    return OpenCVDevice(source)
