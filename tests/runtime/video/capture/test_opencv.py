"""Real OpenCV on video files made here and on an MJPEG server on the loopback."""

import socket
import sys
import time
from pathlib import Path

import needs
import numpy as np
import pytest
from rtsp_camera import rtsp_camera
from video_files import MjpegServer, damage_frames, red, write_video
from waiting import PATIENCE, wait_until

from edgecnn_runtime.errors import MissingExtraError, SourceError
from edgecnn_runtime.video.capture import EventKind, open_capture, opencv
from edgecnn_runtime.video.capture.newest import NewestFrames
from edgecnn_runtime.video.capture.opencv import OpenCVDevice
from edgecnn_runtime.video.capture.source import parse_source

needs.package("cv2", "edgecnn[camera]")
# `newest` waits for as long as it takes.
pytestmark = pytest.mark.timeout(2 * PATIENCE)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "line%03d.avi", [red(10 * number) for number in range(20)])


def test_a_file_gives_every_frame_in_order_in_red_green_blue(video: Path) -> None:
    with open_capture(video) as capture:
        assert not capture.live
        frames = []
        while frame := capture.newest(after=len(frames)):
            frames.append(frame)
        assert [frame.number for frame in frames] == list(range(1, 21))
        assert [frame.position for frame in frames] == pytest.approx([number / 30 for number in range(20)], abs=1e-3)
        means = np.array([frame.pixels.mean(axis=(0, 1)) for frame in frames])
        np.testing.assert_allclose(means[:, 0], np.arange(20) * 10, atol=6)
        assert means[:, 1:].max() < 6
        assert capture.dropped == 0


def test_frames_of_a_file_are_skipped_as_asked(video: Path) -> None:
    with open_capture(video) as capture:
        numbers, number = [], 0
        while frame := capture.newest(after=number):
            numbers.append((frame.number, round(float(frame.pixels[..., 0].mean()), -1)))
            number = frame.number + 6
    assert numbers == [(1, 0), (8, 70), (15, 140)]


def test_a_frame_that_two_readers_want_is_read_once(video: Path) -> None:
    with open_capture(video) as capture:
        first = capture.newest()
        assert first is not None
        assert capture.newest() is first


def test_a_file_played_in_real_time_is_a_camera_that_ends(video: Path) -> None:
    with open_capture(video, realtime=True) as capture:
        assert capture.live
        last, seen = 0, 0
        while frame := capture.newest(after=last):
            last, seen = frame.number, seen + 1
    assert last == 20
    assert seen + capture.dropped == 20


def test_an_mjpeg_address_is_live_and_is_opened_again_when_it_ends() -> None:
    server = MjpegServer([red(value) for value in range(0, 250, 10)])
    with server.running():
        source = parse_source(server.address)
        with NewestFrames(lambda: OpenCVDevice(source), source.name, retry_first=0.001) as capture:
            kinds: list[EventKind] = []
            last = 0
            deadline = time.monotonic() + PATIENCE
            while kinds.count(EventKind.REOPENED) < 2:
                assert time.monotonic() < deadline, kinds
                frame = capture.newest(after=last)
                assert frame is not None
                assert frame.pixels.shape == (48, 64, 3)
                assert frame.pixels[..., 1:].max() < 20
                assert frame.position is None
                last = frame.number
                kinds += [event.kind for event in capture.take_events()]
        assert kinds[:4] == [EventKind.GAP, EventKind.REOPENED] * 2
        assert server.connections >= 3
        assert last > 25


def test_an_rtsp_camera_is_read() -> None:
    with rtsp_camera([red(200), red(100)]) as address, open_capture(address) as capture:
        assert capture.live
        last, values = 0, set()
        deadline = time.monotonic() + PATIENCE
        while len(values) < 2:
            assert time.monotonic() < deadline, values
            frame = capture.newest(after=last)
            assert frame is not None
            assert frame.pixels.shape == (48, 64, 3)
            assert frame.pixels[..., 1:].max() < 20
            last = frame.number
            values.add(round(float(frame.pixels[..., 0].mean()), -1))
        assert values == {100, 200}


def test_an_address_that_falls_silent_is_lost_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencv, "_READ_TIMEOUT", 200)
    server = MjpegServer([red(value) for value in range(0, 250, 10)], silent_after=True)
    with server.running():
        source = parse_source(server.address)
        with NewestFrames(lambda: OpenCVDevice(source), source.name, retry_first=0.001) as capture:
            events: list[EventKind] = []

            def is_back() -> bool:
                events.extend(event.kind for event in capture.take_events())
                return EventKind.REOPENED in events

            wait_until(is_back, "the camera to be opened again")
            assert events[:2] == [EventKind.GAP, EventKind.REOPENED]
            server.stopping.set()


def test_an_address_that_never_says_anything_is_told_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencv, "_OPEN_TIMEOUT", 200)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError, match="none came"):
        open_capture(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")


def test_an_address_that_answers_no_pictures_is_told_without_its_password() -> None:
    server = MjpegServer([])
    with server.running():
        address = server.address.replace("//", "//admin:secret@")
        server.down = True
        with pytest.raises(SourceError, match=r"expected a stream of pictures, none came") as caught:
            open_capture(address)
    assert "secret" not in str(caught.value)
    assert "admin:***@127.0.0.1" in str(caught.value)


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    for name, content in (
        ("empty.mp4", b""),
        ("page.mp4", b"<html>no</html>"),
        ("cut.avi", b"RIFF\x00\x00\x00\x00AVI "),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match="expected a video that FFmpeg reads"):
            open_capture(tmp_path / name)


def test_a_video_cut_short_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    video = write_video(tmp_path / "noise.avi", list(noise))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with open_capture(video) as capture:
        number = 0
        while frame := capture.newest(after=number):
            number = frame.number
        (event,) = capture.take_events()
    assert 5 <= number <= 15
    assert event.kind is EventKind.TRUNCATED
    assert f"expected 20 frames, got {number}, and after frame {number} no more" in event.text


@pytest.mark.parametrize("realtime", [False, True])
@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ([], []),
        ([8], ["frame 8 "]),
        ([1], ["frame 1 "]),
        ([1, 2, 5, 9, 10, 11], ["frames 1 to 2 ", "frame 5 ", "frames 9 to 11 "]),
        ([20], ["got 19, and after frame 19 "]),
        ([4, *range(11, 21)], ["frame 4 ", "got 9, and after frame 10 "]),
    ],
)
def test_damaged_frames_of_a_file_are_passed_over_and_told(
    video: Path, damaged: list[int], told: list[str], realtime: bool
) -> None:
    damage_frames(video, damaged)
    numbers, texts = [], []
    with open_capture(video, realtime=realtime) as capture:
        while frame := capture.newest(after=numbers[-1] if numbers else 0):
            numbers.append(frame.number)
            assert frame.pixels[..., 0].mean() == pytest.approx(10 * (frame.number - 1), abs=6)
            texts += capture.take_events()
        texts += capture.take_events()
        assert capture.damaged == sum(number <= max(numbers) for number in damaged)
    assert set(numbers) <= set(range(1, 21)) - set(damaged)
    if not realtime:
        assert numbers == sorted(set(range(1, 21)) - set(damaged))
    assert len(texts) == len(told)
    assert all(part in event.text for part, event in zip(told, texts, strict=True))


def test_skipped_frames_count_the_damaged_ones(video: Path) -> None:
    damage_frames(video, [3, 8])
    with open_capture(video) as capture:
        numbers, number = [], 0
        while frame := capture.newest(after=number):
            numbers.append((frame.number, round(float(frame.pixels[..., 0].mean()), -1)))
            number = frame.number + 6
    assert numbers == [(1, 0), (9, 80), (16, 150)]


def test_a_video_without_a_whole_frame_is_told(video: Path) -> None:
    with pytest.raises(SourceError, match=r"expected a video that FFmpeg reads, none of its 20 frames can be decoded"):
        open_capture(damage_frames(video, range(1, 21)))


@needs.linux
def test_a_camera_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="camera 97: expected a camera, none there"):
        open_capture(97)
    assert capfd.readouterr().err == ""


def test_without_opencv_the_extra_is_named(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[camera\]"'):
        open_capture(video)
