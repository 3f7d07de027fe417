"""Cameras, video files and addresses through OpenCV.

OpenCV (Apache-2.0) because it has V4L2, AVFoundation and Media Foundation behind one call, and brings an FFmpeg of its
own for files, RTSP and HTTP; there are wheels for x86 and ARM. It gives BGR, which is turned here.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from edgecnn_runtime.errors import ImageError, MissingExtraError, SourceError
from edgecnn_runtime.image_files import check_size
from edgecnn_runtime.video.capture.device import Picture
from edgecnn_runtime.video.capture.source import CaptureSource, SourceKind

# Milliseconds that an address may take to answer, and to send its next picture, before it counts as gone.
_OPEN_TIMEOUT = 10_000
_READ_TIMEOUT = 10_000

# Pixels of one picture. 8K video has 33 million; a few pictures are in memory at once, at three bytes a pixel.
_MAX_PIXELS = 50_000_000
# Failures in a row after which a file has ended that does not tell how many pictures it has.
_TRIES = 100

T = TypeVar("T")


class OpenCVDevice:
    """One `cv2.VideoCapture` that has given its first picture."""

    def __init__(self, source: CaptureSource) -> None:
        """Open a camera, file or address.

        Raises:
            SourceError: not there, not readable, or it gives no picture.
            MissingExtraError: OpenCV is not installed.
        """
        try:
            import cv2
        except ImportError as error:
            raise MissingExtraError("video", package="opencv-python-headless", extra="camera") from error
        self._cv2 = cv2
        self._source = source
        self.damaged = self._good = 0
        self.ending: str | None = None
        self._position = 0.0
        # Its own warnings would appear beside ours; the error below says the same in words.
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._video = _open(cv2, source)
            opened = self._video.isOpened()
            # A camera that another program holds, and the second node of many USB cameras, open and give nothing.
            if opened:
                self._check_size()
            # Streams have no count, which FFmpeg gives as a negative number.
            self._count = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT)) if opened else 0
            self.live = source.kind is not SourceKind.FILE and self._count <= 0
            self._first = self._next(self._read) if opened else None
        except ImageError as error:
            self._video.release()
            raise SourceError(str(error)) from None
        finally:
            cv2.utils.logging.setLogLevel(level)
        if self._first is None:
            self._video.release()
            raise SourceError(_message(source, opened=opened, frames=self._count))

    def read(self) -> Picture | None:
        """Wait for the next picture; None: the camera is gone, or the file has ended."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._next(self._read)

    def skip(self) -> bool:
        """Pass over the next picture without converting it."""
        if self._first is not None:
            self._first = None
            return True
        return self._next(lambda: self._video.grab() or None) is not None

    def close(self) -> None:
        """Give the device back."""
        self._video.release()

    def _check_size(self) -> None:
        """Check what the source says its pictures measure, before the first is decoded."""
        properties = self._cv2.CAP_PROP_FRAME_WIDTH, self._cv2.CAP_PROP_FRAME_HEIGHT
        width, height = (int(self._video.get(each)) for each in properties)
        check_size(self._source.name, (width, height), max_pixels=_MAX_PIXELS)

    def _next(self, take: Callable[[], T | None]) -> T | None:
        """Take the next picture; in a file, pass over those that cannot be decoded, as far as it may reach.

        FFmpeg does not tell a damaged picture from the end.
        """
        failed = 0
        while (taken := take()) is None:
            if self.live or failed >= max(self._count - self._good - self.damaged, _TRIES):
                self.ending = None if self.live else self._how_it_ended()
                return None
            failed += 1
        self._good += 1
        self.damaged += failed
        self._position = self._video.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
        return taken

    def _how_it_ended(self) -> str | None:
        """Say that pictures are missing at the end; None: it is whole.

        Some files tell their duration only, and the count is an estimate: then the time must be missing, too.
        """
        rate = self._video.get(self._cv2.CAP_PROP_FPS)
        whole = rate > 0 and self._position + 1.5 / rate >= self._count / rate
        if self._good + self.damaged >= self._count or whole:
            return None
        return (
            f"expected {self._count:,} frames, got {self._good:,}, and after frame {self._good + self.damaged:,} no "
            "more; the file is cut short or damaged there"
        )

    def _read(self) -> Picture | None:
        cv2 = self._cv2
        try:
            there, pixels = self._video.read()
            if not there or pixels is None:
                return None
            order = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
            pixels = cv2.cvtColor(pixels, order)
        except cv2.error:
            return None
        position = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000 if self._source.kind is SourceKind.FILE else None
        return Picture(pixels, position)


def _open(cv2: Any, source: CaptureSource) -> Any:
    if source.kind is SourceKind.CAMERA:
        api = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        video = cv2.VideoCapture(source.target, api)
        # The driver's queue would make every picture some frames old; not every driver obeys, which does no harm.
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return video
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT]
    return cv2.VideoCapture(source.target, cv2.CAP_FFMPEG, timeouts if source.kind is SourceKind.ADDRESS else [])


def _message(source: CaptureSource, *, opened: bool, frames: int) -> str:
    match source.kind:
        case SourceKind.CAMERA if opened:
            return f"{source.name}: expected pictures, it opens and gives none; does another program use it?"
        case SourceKind.CAMERA:
            look = "; 'ls /dev/video*' shows what is" if sys.platform == "linux" else "; is it plugged in and allowed?"
            return f"{source.name}: expected a camera, none there or no permission{look}"
        case SourceKind.ADDRESS:
            return f"{source.name}: expected a stream of pictures, none came; is the address right and the camera on?"
        case _ if frames > 0:
            return f"{source.name}: expected a video that FFmpeg reads, none of its {frames:,} frames can be decoded"
        case _:
            return f"{source.name}: expected a video that FFmpeg reads, no picture in it"
