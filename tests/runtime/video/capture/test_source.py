"""What a user may name as a source."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from edgecnn_runtime.errors import SourceError
from edgecnn_runtime.video.capture import open_capture
from edgecnn_runtime.video.capture.source import SourceKind, parse_source


@pytest.mark.parametrize(
    ("source", "kind", "name", "target"),
    [
        (0, SourceKind.CAMERA, "camera 0", 0),
        ("1", SourceKind.CAMERA, "camera 1", 1),
        ("/dev/null", SourceKind.CAMERA, "/dev/null", "/dev/null"),
        ("picamera", SourceKind.PICAMERA, "picamera", 0),
        ("picamera:1", SourceKind.PICAMERA, "picamera:1", 1),
        ("rtsp://h:554/a?b=1", SourceKind.ADDRESS, "rtsp://h:554/a?b=1", "rtsp://h:554/a?b=1"),
        ("HTTP://me:pa:ss@h/a", SourceKind.ADDRESS, "http://me:***@h/a", "HTTP://me:pa:ss@h/a"),
    ],
)
def test_a_source_is_told_by_its_form(source: int | str, kind: SourceKind, name: str, target: int | str) -> None:
    parsed = parse_source(source)
    assert (parsed.kind, parsed.name, parsed.target) == (kind, name, target)


def test_a_file_is_named_as_given_and_opened_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("video.mp4").touch()
    parsed = parse_source("video.mp4")
    assert (parsed.kind, parsed.name, parsed.target) == (
        SourceKind.FILE,
        "video.mp4",
        str(tmp_path.resolve() / "video.mp4"),
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.mp4", "not found"),
        ("/dev/video99", "not found; .*; is the camera plugged in"),
        ("ftp://host/a", "got the scheme ftp://"),
        ("file:///etc/passwd", "got the scheme file://"),
        ("-1", "not found"),
        ("", "not found|got a folder"),
        ("picamera:x", "not found"),
    ],
)
def test_what_is_no_source_is_told_with_what_may_be_one(source: str, message: str) -> None:
    with pytest.raises(SourceError, match="a camera's number, a video file, picamera or an address") as caught:
        parse_source(source)
    caught.match(message)


def test_a_folder_is_sent_to_predict(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="got a folder; 'edgecnn predict'"):
        parse_source(tmp_path)


class _Picamera2:
    """As much of picamera2 as is used, with two cameras at most."""

    def __init__(self, number: int) -> None:
        self.number = ("imx219", "imx708")[number]

    def create_video_configuration(self, main: dict[str, object]) -> dict[str, object]:
        return main

    def configure(self, main: dict[str, object]) -> None:
        assert main["format"] == "BGR888"
        self.width, self.height = main["size"]  # type: ignore[misc]

    def start(self) -> None:
        self.running = True

    def capture_array(self, name: str) -> np.ndarray:
        assert name == "main"
        assert self.running
        return np.random.default_rng().integers(0, 255, (self.height, self.width, 3), np.uint8)

    def close(self) -> None:
        self.running = False


def test_picamera2_is_read_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("picamera2")
    module.Picamera2 = _Picamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    with open_capture("picamera") as capture:
        frame = capture.newest()
        assert frame is not None
        assert frame.pixels.shape == (480, 640, 3)
        assert capture.live
    with pytest.raises(SourceError, match="picamera:5: expected a camera; picamera2 says: tuple index out of range"):
        open_capture("picamera:5")


def test_without_picamera2_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2"):
        open_capture("picamera")
