"""The camera behind HTTP: events, pictures, health and metrics, with a camera that does as it is told."""

import http.client
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from running_server import Address, a_service, check_schema, png, running

from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.server.limits import RequestLimits
from edgecnn_runtime.video.capture.fake import FakeCamera
from edgecnn_runtime.video.capture.newest import NewestFrames


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    camera = FakeCamera()
    yield camera
    camera.unplug()


@pytest.fixture
def watched(camera: FakeCamera) -> Iterator[Address]:
    capture = NewestFrames(camera.open, "fake", retry_first=0.01, retry_longest=0.02)
    with running(a_service(capture=capture, limits=RequestLimits(streams=1))) as address:
        yield address
        camera.unplug()


class Viewer:
    """An open event stream."""

    def __init__(self, address: Address) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        self._connection.request("GET", "/v1/stream")
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        assert self._answer.getheader("content-type") == "text/event-stream; charset=utf-8"

    def next(self) -> tuple[str, dict[str, Any]]:
        """Return the name and data of the next event."""
        fields: dict[str, str] = {}
        while (line := self._answer.readline().decode()) != "\n" or "data" not in fields:
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        document = json.loads(fields["data"])
        check_schema(document, "CameraEvent")
        return fields["event"], document

    def until(self, state: str) -> dict[str, Any]:
        """Return the first event with this state of the camera."""
        for _ in range(1000):
            _, document = self.next()
            if document["camera"] == state:
                return document
        raise AssertionError(f"expected the camera to be {state} within 1,000 events, it is {document['camera']}")

    def rest(self) -> bytes:
        return self._answer.read()

    def close(self) -> None:
        self._connection.close()


def show(camera: FakeCamera, value: int) -> None:
    camera.show(np.full((600, 1200, 3), value, np.uint8))


def test_events_tell_each_answer(camera: FakeCamera, watched: Address) -> None:
    viewer = Viewer(watched)
    for number, (value, label) in enumerate(((10, "black"), (250, "white")), start=1):
        show(camera, value)
        name, event = viewer.next()
        assert name == "result"
        assert (event["frame"], event["label"], event["camera"], event["text"]) == (number, label, "live", "")
        assert event["top"][0] == {"label": label, "probability": 1.0}
        assert event["age_ms"] >= event["inference_ms"] >= 0
        assert event["dropped"] == 0
    viewer.close()


def test_the_picture_is_that_of_an_event(camera: FakeCamera, watched: Address) -> None:
    show(camera, 200)
    answer = watched.ask("/v1/frame.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(BytesIO(answer.body)) as image:
        assert image.size == (960, 480)
        assert abs(image.convert("L").getpixel((5, 5)) - 200) < 3
    show(camera, 30)
    newer = watched.ask(f"/v1/frame.jpg?after={answer.headers['x-event-id']}")
    with Image.open(BytesIO(newer.body)) as image:
        assert abs(image.convert("L").getpixel((5, 5)) - 30) < 3
    assert int(newer.headers["x-event-id"]) > int(answer.headers["x-event-id"])


def test_what_no_frame_is_newer_than(watched: Address, camera: FakeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn_runtime.server.app._FRAME_WAIT", 0.1)
    answer = watched.ask("/v1/frame.jpg")
    assert answer.status == 503
    assert answer.document["detail"] == "expected a newer frame within 0.1 s; the camera is starting"
    assert watched.ask("/v1/frame.jpg?after=x").status == 400


def test_a_camera_that_is_unplugged_is_told_everywhere(camera: FakeCamera, watched: Address) -> None:
    viewer = Viewer(watched)
    show(camera, 10)
    viewer.until("live")
    assert watched.ask("/healthz").document == {"status": "ok", "camera": "live"}
    assert b"edgecnn_camera_up 1\n" in watched.ask("/metrics").body
    camera.unplug()
    event = viewer.until("lost")
    assert "the camera gives no picture any more" in event["text"]
    assert "label" not in event
    answer = watched.ask("/healthz")
    assert (answer.status, answer.document["detail"]) == (503, "expected a live camera, this one is lost")
    assert "no picture any more" in watched.ask("/v1/model").document["camera"]["text"]
    metrics = watched.ask("/metrics").body.decode()
    assert "edgecnn_camera_up 0\n" in metrics
    assert "edgecnn_camera_gaps_total 1\n" in metrics
    assert watched.classify(png(200)).status == 200  # what has nothing to do with the camera goes on
    camera.plug()
    show(camera, 250)
    assert viewer.until("live")["label"] == "white"
    assert watched.ask("/healthz").status == 200
    viewer.close()


def test_a_model_that_fails_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecnn_runtime.server.live._RETRY_FIRST", 0.01)
    first, second = FakeCamera(), FakeCamera()
    capture = NewestFrames(first.open, "fake")
    with running(a_service(capture=capture, reopen=lambda: NewestFrames(second.open, "fake"))) as address:
        viewer = Viewer(address)
        with monkeypatch.context() as broken:

            def fail(self: FakeBackend, pixels: object) -> None:
                raise RuntimeError("the interpreter has had enough")

            broken.setattr(FakeBackend, "infer", fail)
            show(first, 250)
            assert viewer.until("lost")["text"] == "the interpreter has had enough"
            assert address.ask("/healthz").status == 503
        first.unplug()  # lets its reading thread go
        show(second, 250)
        assert viewer.until("live")["label"] == "white"
        viewer.close()
        second.unplug()


class Clock:
    """Stands in for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_silence_is_not_taken_for_health(camera: FakeCamera, watched: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("edgecnn_runtime.server.live.time", clock)
    show(camera, 250)
    assert watched.ask("/v1/frame.jpg").status == 200
    clock.now = 15.0
    assert watched.ask("/healthz").status == 200
    clock.now = 16.0
    assert watched.ask("/healthz").status == 503
    assert watched.ask("/v1/model").document["camera"]["text"] == "fake: no answer for 16 s"


def test_only_so_many_viewers(watched: Address) -> None:
    first = Viewer(watched)
    refused = watched.ask("/v1/stream")
    assert refused.status == 429
    assert refused.headers["retry-after"] == "5"
    first.close()
    watched.wait_for_metric("edgecnn_event_streams", 0)
    Viewer(watched).close()


def test_a_server_that_ends_lets_its_viewers_go(camera: FakeCamera) -> None:
    capture = NewestFrames(camera.open, "fake")
    with running(a_service(capture=capture)) as address:
        viewer = Viewer(address)
        show(camera, 10)
        viewer.next()
        camera.unplug()
    viewer.rest()  # ends
    viewer.close()
    assert camera.closed == 1
