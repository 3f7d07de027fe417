"""A camera, a video or a network stream through a classifier: `for result in stream(classifier, 0): …`."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.video.smoothing import NO_SMOOTHING, Smoother, Smoothing

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier
    from edgecnn_runtime.prediction import Prediction
    from edgecnn_runtime.video.capture import Capture, Event, Frame

# A camera's number, "picamera", an address, a video file, or a source that is already open.
VideoSource: TypeAlias = "int | str | os.PathLike[str] | Capture"

# Seconds without a frame after which events and what is held are looked at.
_TICK = 0.25


@dataclass(frozen=True, slots=True)
class StreamLatency:
    """Where the time of one answer went, in seconds."""

    wait: float  # from the capture of the frame until the classifier was free for it
    preprocess: float
    inference: float


@dataclass(frozen=True, eq=False, slots=True)
class StreamResult:
    """One frame's answer; or, without a frame, news of a camera that gives none."""

    label: str | None  # after smoothing; None: no label has the votes
    since: float | None  # when that label was announced, in the seconds of `Frame.time`
    changed: bool  # whether the label is another than that of the result before
    frame: "Frame | None"
    prediction: "Prediction | None"  # of this frame alone
    latency: StreamLatency | None
    age: float | None  # seconds from the capture of the frame to this answer
    dropped: int  # frames of the source so far that were replaced by newer ones
    damaged: int  # frames of a file so far that could not be decoded
    events: tuple["Event", ...]  # what happened to the camera since the last result


def stream(
    classifier: "Classifier",
    source: VideoSource,
    smoothing: Smoothing | None = None,
    *,
    every: int = 1,
    realtime: bool = False,
) -> Iterator[StreamResult]:
    """Classify a camera's newest frame again and again, or every frame of a file in order.

    A camera that goes away is opened again; meanwhile results without a frame tell of it at once. While it is gone or
    frozen nothing is voted, so that a smoothed label ends after its `hold`. The iterator ends with the file, and for a
    camera when it is closed. Frames of a file that cannot be decoded are passed over and told of in `events`, and so is
    an end before its time, in a last result without a frame.

    Args:
        classifier: an opened model.
        source: 0 for the first camera, "picamera", `rtsp://…`, `http://…`, a video file, or an opened `Capture`,
            which then stays open.
        smoothing: the rules for `label`; None: each frame's own label.
        every: of the source's frames, classify each `every`-th at most.
        realtime: play a file at its own pace and drop frames as a camera does.

    Raises:
        InputError: `every` below 1.
        SourceError: the source is not there, when the first result is asked for.
        MissingExtraError: the package for the source is missing, likewise.
    """
    if every < 1:
        raise InputError(f"every: expected at least 1, got {every}")
    return _run(classifier, source, Smoother(smoothing or NO_SMOOTHING), every, realtime)


def _run(
    classifier: "Classifier", source: VideoSource, smoother: Smoother, every: int, realtime: bool
) -> Iterator[StreamResult]:
    from edgecnn_runtime.video.capture import open_capture

    if isinstance(source, int | str | os.PathLike):
        with open_capture(source, realtime=realtime) as capture:
            yield from _results(classifier, capture, smoother, every)
    else:
        yield from _results(classifier, source, smoother, every)


def _results(classifier: "Classifier", capture: "Capture", smoother: Smoother, every: int) -> Iterator[StreamResult]:
    from edgecnn_runtime.prediction import Prediction
    from edgecnn_runtime.preprocess import read_image

    # Loads Pillow, so that the first frame need not wait for it.
    read_image(np.zeros((1, 1, 3), np.uint8), classifier.manifest.input)
    after = 0
    last: Frame | None = None
    while True:
        try:
            frame = capture.newest(after, timeout=_TICK)
        except TimeoutError:
            if result := _without_frame(capture, smoother, last):
                yield result
            continue
        if frame is None:
            if result := _without_frame(capture, smoother, last):
                yield result
            return
        last, after = frame, frame.number + every - 1
        started = time.monotonic()
        pixels = read_image(frame.pixels, classifier.manifest.input)
        fitted = time.monotonic()
        prediction = Prediction.of(classifier.predict_proba(pixels), classifier.labels)
        done = time.monotonic()
        events = _events(capture, smoother)
        if capture.frozen:
            smoothed = smoother.pass_time(frame.time)
        else:
            smoothed = smoother.add(prediction.label, prediction.probability, time=frame.time)
        yield StreamResult(
            label=smoothed.label,
            since=smoothed.since,
            changed=smoothed.changed,
            frame=frame,
            prediction=prediction,
            latency=StreamLatency(started - frame.captured, fitted - started, done - fitted),
            age=time.monotonic() - frame.captured,
            dropped=capture.dropped,
            damaged=capture.damaged,
            events=events,
        )


def _events(capture: "Capture", smoother: Smoother) -> tuple["Event", ...]:
    """Take the events; what follows a camera's has nothing to do with what was, a file goes on where it was."""
    from edgecnn_runtime.video.capture import EventKind

    events = tuple(capture.take_events())
    if any(event.kind not in (EventKind.DAMAGED, EventKind.TRUNCATED) for event in events):
        smoother.forget()
    return events


def _without_frame(capture: "Capture", smoother: Smoother, last: "Frame | None") -> StreamResult | None:
    """Tell what happened while no frame came; None: nothing."""
    events = _events(capture, smoother)
    now = time.monotonic()
    smoothed = smoother.pass_time(now if last is None else last.time + now - last.captured)
    if not events and not smoothed.changed:
        return None
    return StreamResult(
        label=smoothed.label,
        since=smoothed.since,
        changed=smoothed.changed,
        frame=None,
        prediction=None,
        latency=None,
        age=None,
        dropped=capture.dropped,
        damaged=capture.damaged,
        events=events,
    )
