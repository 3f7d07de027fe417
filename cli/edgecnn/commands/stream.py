"""`edgecnn stream MODEL SOURCE`: classify a camera, a video or a network stream."""

import contextlib
import datetime
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecnn.console import Console, QuietOption
from edgecnn.options.model_options import ModelOptions
from edgecnn.options.option_group import takes_options
from edgecnn.options.smoothing_options import SmoothingOptions

if TYPE_CHECKING:
    from edgecnn_runtime.video.stream import StreamResult

# Answers that the percentiles of the summary cover: five minutes of a camera.
_REMEMBERED = 10_000


@takes_options(smoothing_options=SmoothingOptions, model_options=ModelOptions)
def stream(
    model_options: ModelOptions,
    smoothing_options: SmoothingOptions,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, .tflite or .onnx, from edgecnn or from elsewhere.")
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Camera (0 for the first, or picamera), rtsp:// or http:// address, or video file."
        ),
    ],
    every: Annotated[int, typer.Option(min=1, help="Frames per classified frame: 2 skips every second.")] = 1,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Number of classified frames to end after.")] = None,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Play a video file at its own pace, dropping frames as a camera does.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads within one inference.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per frame and nothing else.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Classify a camera, a video or a network stream.

    It prints a line whenever the label changes, until the video ends or you press Ctrl-C. Damaged frames of a video are
    passed over and counted; a video that ends before its time gives exit code 1.
    """
    # OpenCV and its FFmpeg print what our own messages say; they read these variables when they are loaded.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    from edgecnn_runtime import stream as streaming
    from edgecnn_runtime.video.capture import open_capture

    console = Console(json=json, quiet=quiet)
    smoothing = smoothing_options.smoothing()
    classifier = model_options.open(console, model, threads=threads)
    summary = _Summary()
    with _ended_by_signals():
        with contextlib.suppress(KeyboardInterrupt), open_capture(source, realtime=realtime) as capture:
            console.note(f"reading {capture.name}" + "; Ctrl-C ends it" * capture.live)
            try:
                for result in streaming(classifier, capture, smoothing, every=every):
                    summary.add(result)
                    _show(console, result, live=capture.live)
                    if summary.frames == max_frames:
                        break
            except BrokenPipeError:
                # The reader has seen enough, as `head` does; nobody reads what is left in the buffer.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        console.note(summary.text())
        if summary.truncated is not None:
            print(f"error: {summary.truncated}", file=sys.stderr)
            raise typer.Exit(1)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM, with which services are stopped, end the block as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(console: Console, result: "StreamResult", *, live: bool) -> None:
    for event in result.events:
        # How a file ended is said at the end.
        if not console.quiet and event.kind != "truncated":
            console.warn(event.text)
    if console.json:
        console.json_line(_document(result))
    elif result.changed:
        console.say(_line(result, live=live))


def _line(result: "StreamResult", *, live: bool) -> str:
    """Describe a change: when, at which frame, to which label."""
    frame, prediction = result.frame, result.prediction
    when = _clock_time(result) if live or frame is None else f"{frame.position or 0.0:9.3f} s"
    if frame is None or prediction is None:
        return f"{when}  no frame        -"
    label = "-" if result.label is None else f"{result.label}"
    sure = f"  {prediction.probability:.4f}" if prediction.label == result.label else ""
    return f"{when}  frame {frame.number:<8}  {label}{sure}"


def _clock_time(result: "StreamResult") -> str:
    return _captured(result).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _captured(result: "StreamResult") -> datetime.datetime:
    """Return when the frame was taken, or now where there is none, by the machine's clock in UTC."""
    age = 0.0 if result.frame is None else time.monotonic() - result.frame.captured
    return datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(seconds=age)


def _document(result: "StreamResult") -> dict[str, object]:
    frame, prediction, latency = result.frame, result.prediction, result.latency
    return {
        "label": result.label,
        "changed": result.changed,
        "frame": frame.number if frame else None,
        "captured": _captured(result).isoformat(timespec="milliseconds"),
        "position": frame.position if frame else None,
        "predicted": prediction.label if prediction else None,
        "probability": prediction.probability if prediction else None,
        "latency_ms": {
            "wait": _milliseconds(latency.wait),
            "preprocess": _milliseconds(latency.preprocess),
            "inference": _milliseconds(latency.inference),
        }
        if latency
        else None,
        "age_ms": None if result.age is None else _milliseconds(result.age),
        "dropped": result.dropped,
        "damaged": result.damaged,
        "events": [{"kind": str(event.kind), "text": event.text} for event in result.events],
    }


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)


class _Summary:
    """Counts, and the times of the latest answers."""

    def __init__(self) -> None:
        self.frames = self.dropped = self.damaged = 0
        self.truncated: str | None = None  # how a file ended before its time
        self._started: float | None = None
        self._ended = 0.0
        self._work: deque[float] = deque(maxlen=_REMEMBERED)
        self._ages: deque[float] = deque(maxlen=_REMEMBERED)

    def add(self, result: "StreamResult") -> None:
        """Count one result."""
        self.dropped, self.damaged = result.dropped, result.damaged
        for event in result.events:
            if event.kind == "truncated":
                self.truncated = event.text
        if result.latency is None or result.age is None:
            return
        self._ended = time.monotonic()
        if self._started is None:
            self._started = self._ended - result.age
        self.frames += 1
        self._work.append(result.latency.preprocess + result.latency.inference)
        self._ages.append(result.age)

    def text(self) -> str:
        """Return the line at the end."""
        if self._started is None:
            return "no frame was classified"
        rate = self.frames / max(self._ended - self._started, 1e-9)
        damaged = f", {self.damaged:,} damaged" if self.damaged else ""
        return (
            f"{self.frames:,} frames classified, {self.dropped:,} dropped{damaged}, {rate:.1f} frames/s; "
            f"latency {_percentiles(self._work)}; age of the answer {_percentiles(self._ages)}"
        )


def _percentiles(seconds: deque[float]) -> str:
    import numpy as np

    median, high = 1000 * np.percentile(seconds, [50, 95])
    return f"p50 {median:.2f} ms, p95 {high:.2f} ms"
