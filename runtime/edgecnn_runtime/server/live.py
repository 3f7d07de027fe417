"""The camera of a server: one thread classifies its newest frame again and again, any number of viewers watch."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.server.metrics import CameraCounts, Histogram
from edgecnn_runtime.video.capture import Capture, EventKind, Frame
from edgecnn_runtime.video.smoothing import Smoothing
from edgecnn_runtime.video.stream import StreamResult, stream

# Results over whose times the frame rate is taken.
_RATE_WINDOW = 30
# Seconds between two attempts at a camera that failed for good, first and longest.
_RETRY_FIRST, _RETRY_LONGEST = 1.0, 30.0
# Seconds for the thread to end; a reading that hangs does not keep the process.
_JOIN = 5.0
# Seconds without an answer after which the camera counts as frozen even if it gives pictures.
_SILENCE = 15.0
# Of the picture that viewers get, pixels of the longer side; and Pillow's JPEG quality.
_VIEW_SIZE, _VIEW_QUALITY = 960, 80


class CameraState(StrEnum):
    """How the camera is."""

    STARTING = "starting"  # opened, no frame yet
    LIVE = "live"
    LOST = "lost"  # gone; it is tried again
    FROZEN = "frozen"  # it gives the same picture again and again, or none
    ENDED = "ended"  # a video file that has been shown


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """The newest news of the camera: an answer with the frame it is about, or a change of its state."""

    serial: int  # 1 for the first
    state: CameraState
    text: str  # what happened last, empty while all is well
    result: StreamResult | None
    frames_per_second: float


class Live:
    """Runs `stream` in a thread and hands its results to an event loop, which alone touches what is public here."""

    def __init__(
        self, classifier: Classifier, capture: Capture, reopen: Callable[[], Capture], smoothing: Smoothing | None
    ) -> None:
        """Take over an opened source.

        Args:
            classifier: whose `predict_proba` may run beside the requests; see `InterpreterPool`.
            capture: the source, which `close` closes.
            reopen: opens the source again after it failed.
            smoothing: as `stream` takes it.
        """
        self.newest: Shown | None = None
        self.framed: Shown | None = None  # the newest with a frame
        self.frames = self.gaps = 0
        self.latency = Histogram()
        self._classifier, self._capture, self._reopen, self._smoothing = classifier, capture, reopen, smoothing
        self._times: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._closing = threading.Event()
        self._changed = asyncio.Event()
        self._ended = self._failed = False
        self._text = ""
        self._picture: tuple[int, asyncio.Future[bytes]] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, from within the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="edgecnn-live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let every viewer go, and take nothing more; from within the event loop, and followed by `join`."""
        self._closing.set()
        self._wake()

    def join(self) -> None:
        """Give the camera back and wait for the thread; one that does not end in seconds is left, as a daemon."""
        self._capture.close()
        if self._thread is not None:
            self._thread.join(timeout=_JOIN)

    @property
    def state(self) -> CameraState:
        """How the camera is at the moment."""
        if self._ended:
            return CameraState.ENDED
        if self._failed or self._capture.lost:
            return CameraState.LOST
        if self._capture.frozen or self._silence() > _SILENCE:
            return CameraState.FROZEN
        return CameraState.STARTING if self.framed is None else CameraState.LIVE

    @property
    def text(self) -> str:
        """What went wrong with the camera, empty while all is well."""
        if self.state in (CameraState.LIVE, CameraState.STARTING):
            return ""
        return self._text or f"{self.name}: no answer for {self._silence():.0f} s"

    @property
    def name(self) -> str:
        """The source as it was named, without a password."""
        return self._capture.name

    def counts(self) -> CameraCounts:
        """Return what there is to count."""
        up = self.state is CameraState.LIVE
        return CameraCounts(up, self.frames, self._capture.dropped, self.gaps, self.latency)

    async def next(self, after: int, *, framed: bool = False) -> Shown | None:
        """Wait for news with a serial number above `after`, `framed` for those with a frame; None: closed."""
        while not self._closing.is_set():
            shown = self.framed if framed else self.newest
            if shown is not None and shown.serial > after:
                return shown
            await self._changed.wait()
        return None

    async def jpeg(self, shown: Shown) -> bytes:
        """Return the frame of some news as a JPEG file, made once for all viewers."""
        assert shown.result is not None
        assert shown.result.frame is not None
        if self._picture is None or self._picture[0] != shown.serial:
            made = asyncio.ensure_future(asyncio.to_thread(_jpeg_of, shown.result.frame))
            self._picture = shown.serial, made
        # A viewer that leaves takes no other viewer's picture away.
        return await asyncio.shield(self._picture[1])

    def _run(self) -> None:
        """Classify until closed or, of a file, to its end; a source that fails is opened again, with growing pauses."""
        try:
            while not self._closing.is_set():
                try:
                    self._watch()
                    return
                # Whatever it is, be it a defect of an interpreter: a thread that ends in silence looks as if all were
                # well.
                except Exception as error:
                    self._tell(self._fail, str(error) or type(error).__name__)
                self._open_again()
        finally:
            self._capture.close()

    def _watch(self) -> None:
        """Classify until the server closes or the source ends.

        Raises:
            EdgecnnError: the source failed.
        """
        for result in stream(self._classifier, self._capture, self._smoothing):
            self._tell(self._take, result)
            if self._closing.is_set():
                return
        self._tell(self._end)

    def _open_again(self) -> None:
        self._capture.close()
        pause = _RETRY_FIRST
        while not self._closing.wait(pause):
            pause = min(2 * pause, _RETRY_LONGEST)
            try:
                self._capture = self._reopen()
                return
            except EdgecnnError as error:
                self._tell(self._fail, str(error))

    def _tell(self, call: Callable[..., None], *values: object) -> None:
        """Run something in the event loop, unless it is over."""
        if not self._closing.is_set():
            try:
                self._loop.call_soon_threadsafe(call, *values)
            except RuntimeError:  # the loop was closed in this moment
                self._closing.set()

    def _take(self, result: StreamResult) -> None:
        self._failed = False
        for event in result.events:
            self._text = event.text
            self.gaps += event.kind is EventKind.GAP
        if result.frame is None:
            self._show(None)
            return
        self.frames += 1
        self._times.append(time.monotonic())
        if result.age is not None:
            self.latency.observe(result.age)
        self._show(result)

    def _fail(self, text: str) -> None:
        self.gaps += not self._failed
        self._failed, self._text = True, text
        self._show(None)

    def _end(self) -> None:
        self._ended, self._text = True, f"{self.name}: the video has ended"
        self._show(None)

    def _show(self, result: StreamResult | None) -> None:
        serial = 1 if self.newest is None else self.newest.serial + 1
        if result is not None:
            # Before it is asked how the camera is: a frame makes it live.
            self.framed = Shown(serial, CameraState.LIVE, "", result, self._rate())
        self.newest = Shown(serial, self.state, self.text, result, self._rate())
        self._wake()

    def _silence(self) -> float:
        """Return the seconds since the last answer, 0 before the first."""
        return time.monotonic() - self._times[-1] if self._times else 0.0

    def _rate(self) -> float:
        """Return the frames per second over the last results; 0 before there are two, or when the last is long ago."""
        if len(self._times) < 2 or self._silence() > 2:
            return 0.0
        return (len(self._times) - 1) / max(1e-6, self._times[-1] - self._times[0])

    def _wake(self) -> None:
        """Let all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()


def _jpeg_of(frame: Frame) -> bytes:
    from PIL import Image

    image = Image.fromarray(frame.pixels)
    image.thumbnail((_VIEW_SIZE, _VIEW_SIZE), Image.Resampling.BILINEAR)
    file = BytesIO()
    image.save(file, "JPEG", quality=_VIEW_QUALITY)
    return file.getvalue()
