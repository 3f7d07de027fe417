"""The capture thread, with a camera that does as it is told."""

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from waiting import PATIENCE, wait_until

from edgecnn_runtime.errors import SourceError
from edgecnn_runtime.video.capture import EventKind
from edgecnn_runtime.video.capture.fake import FakeCamera
from edgecnn_runtime.video.capture.newest import NewestFrames

# `newest` waits for as long as it takes.
pytestmark = pytest.mark.timeout(2 * PATIENCE)


def picture(value: int) -> NDArray[np.uint8]:
    return np.full((20, 30, 3), value, np.uint8)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    camera = FakeCamera()
    yield camera
    camera.unplug()  # lets a reading thread go


def opened(camera: FakeCamera, **options: object) -> NewestFrames:
    return NewestFrames(camera.open, "fake", retry_first=0.001, retry_longest=0.004, **options)  # type: ignore[arg-type]


def test_only_the_newest_frame_is_kept_and_the_others_are_counted(camera: FakeCamera) -> None:
    with opened(camera) as capture:
        assert capture.live
        for value in (1, 2, 3):
            camera.show(picture(value))
        camera.wait_until_read()
        frame = capture.newest()
        assert frame is not None
        assert (frame.number, int(frame.pixels[0, 0, 0]), capture.dropped) == (3, 3, 2)
        camera.show(picture(4))
        after = capture.newest(after=3)
        assert after is not None
        assert (after.number, capture.dropped) == (4, 2)
        camera.unplug()


def test_a_frame_that_was_seen_is_not_given_twice(camera: FakeCamera) -> None:
    with opened(camera) as capture:
        camera.show(picture(1))
        assert capture.newest() is not None
        with pytest.raises(TimeoutError, match=r"fake: no new frame within 0\.01 s"):
            capture.newest(after=1, timeout=0.01)
        camera.unplug()


def test_who_waits_is_woken_by_the_next_frame(camera: FakeCamera) -> None:
    with opened(camera) as capture:
        threading.Timer(0.02, camera.show, [picture(7)]).start()
        frame = capture.newest()
        assert frame is not None
        assert frame.pixels[0, 0, 0] == 7
        camera.unplug()


def test_a_camera_that_is_unplugged_is_opened_again_and_the_gap_is_told(camera: FakeCamera) -> None:
    with opened(camera) as capture:
        camera.show(picture(1))
        assert capture.newest() is not None
        camera.unplug()
        wait_until(lambda: camera.opened >= 5, "to be refused again and again")
        assert capture.dropped == 0
        assert capture.lost
        (gap,) = capture.take_events()
        assert gap.kind is EventKind.GAP
        assert gap.text == "fake: the camera gives no picture any more; trying to open it again"
        camera.plug()
        camera.show(picture(2))
        frame = capture.newest(after=1)
        assert frame is not None
        assert frame.number == 2
        assert not capture.lost
        (back,) = capture.take_events()
        assert back.kind is EventKind.REOPENED
        assert back.text.startswith("fake: back after ")
        assert camera.closed == 1
        camera.unplug()


def test_pauses_grow_and_stay_below_the_longest(camera: FakeCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            pauses.append(timeout)
            return super().wait(0.001)

    with opened(camera) as capture:
        capture._stopping = Stopping()
        capture._retry_first, capture._retry_longest = 0.5, 30.0
        camera.unplug()
        wait_until(lambda: len(pauses) >= 9, "nine pauses")
    assert pauses[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("same", [True, False], ids=["the same picture", "no picture"])
def test_a_frozen_camera_is_noticed_once_and_so_is_its_end(camera: FakeCamera, same: bool) -> None:
    clock = Clock()
    with opened(camera, freeze_after=5.0, clock=clock) as capture:
        for _ in range(8):
            if same:
                camera.show(picture(1))
                camera.wait_until_read()
            clock.now += 1
        assert capture.frozen
        (event,) = capture.take_events()
        assert event.kind is EventKind.FROZEN
        assert ("the same picture" if same else "no picture") in event.text
        camera.show(picture(9))
        camera.wait_until_read()
        assert not capture.frozen
        assert [event.kind for event in capture.take_events()] == [EventKind.MOVING]
        camera.unplug()


def test_a_camera_with_noise_is_not_frozen(camera: FakeCamera) -> None:
    clock = Clock()
    still = picture(100)
    with opened(camera, freeze_after=5.0, clock=clock) as capture:
        for number in range(20):
            noisy = still.copy()
            noisy[3, 3, 1] += number % 2  # one value, between the points that are compared first
            camera.show(noisy)
            camera.wait_until_read()
            clock.now += 1
        assert not capture.frozen
        assert capture.take_events() == []
        camera.unplug()


def test_a_camera_that_is_not_there_is_an_error_at_once(camera: FakeCamera) -> None:
    camera.unplug()
    with pytest.raises(SourceError, match="unplugged"):
        opened(camera)


def test_a_file_played_as_a_camera_ends(camera: FakeCamera) -> None:
    with opened(camera, ends=True) as capture:
        camera.show(picture(1), position=0.0)
        camera.unplug()
        last = capture.newest()
        assert last is not None
        assert capture.newest(after=1) is None
        assert capture.take_events() == []


def test_a_reader_that_fails_tells_who_waits() -> None:
    class Broken(FakeCamera):
        def read(self) -> None:
            raise RuntimeError("the driver fell over")

    with opened(Broken()) as capture, pytest.raises(SourceError, match="fake: reading failed: the driver fell over"):
        capture.newest()


def test_closing_gives_the_device_back_and_wakes_who_waits(camera: FakeCamera) -> None:
    before = set(threading.enumerate())
    capture = opened(camera)
    found: list[object] = []
    waiter = threading.Thread(target=lambda: found.append(capture.newest()))
    waiter.start()
    camera.unplug()
    capture.close()
    waiter.join()
    assert found == [None]
    assert camera.closed == 1
    # Whatever another test has left running is none of this one's.
    assert set(threading.enumerate()) <= before


def test_no_event_is_kept_for_ever(camera: FakeCamera) -> None:
    clock = Clock()
    with opened(camera, freeze_after=5.0, clock=clock) as capture:
        for number in itertools.islice(itertools.count(), 150):
            clock.now += 6
            camera.show(picture(number % 200))
            camera.wait_until_read()
        assert len(capture.take_events()) == 100
        camera.unplug()


def test_a_camera_is_frozen_from_the_second_that_was_named(camera: FakeCamera) -> None:
    clock = Clock()
    with opened(camera, freeze_after=5.0, clock=clock) as capture:
        camera.show(picture(1))
        camera.wait_until_read()
        clock.now += 4.9
        assert not capture.frozen
        clock.now = 105.0
        assert capture.frozen
        camera.unplug()


def test_a_camera_that_is_lost_is_not_frozen_nor_is_one_that_came_back_late(camera: FakeCamera) -> None:
    clock = Clock()
    with opened(camera, freeze_after=5.0, clock=clock) as capture:
        camera.show(picture(1))
        camera.wait_until_read()
        clock.now += 6
        assert capture.frozen
        camera.unplug()
        wait_until(lambda: capture.lost, "the camera to be lost")
        assert not capture.frozen
        clock.now += 100
        assert not capture.frozen
        camera.plug()
        wait_until(lambda: not capture.lost, "the camera to come back")
        assert not capture.frozen
        assert [event.kind for event in capture.take_events()] == [
            EventKind.FROZEN,
            EventKind.GAP,
            EventKind.REOPENED,
        ]
        clock.now += 5
        assert capture.frozen
        camera.unplug()


def test_a_file_played_as_a_camera_is_never_frozen(camera: FakeCamera) -> None:
    clock = Clock()
    with opened(camera, ends=True, freeze_after=5.0, clock=clock) as capture:
        for _ in range(3):
            camera.show(picture(1), position=0.0)
            camera.wait_until_read()
            clock.now += 60
            assert not capture.frozen
        assert capture.take_events() == []
        camera.unplug()


def test_a_reader_that_fails_gives_the_device_back() -> None:
    class Broken(FakeCamera):
        def read(self) -> None:
            raise RuntimeError("the driver fell over")

    camera = Broken()
    with opened(camera) as capture, pytest.raises(SourceError):
        capture.newest()
    assert camera.closed == 1


def test_a_camera_at_work_is_given_back_before_closing_returns(camera: FakeCamera) -> None:
    """It has to take the picture that it waits for; who closes waits for that."""
    closing, go = threading.Event(), threading.Event()
    close = camera.close

    def slowly() -> None:
        closing.set()
        assert go.wait(PATIENCE)
        close()

    camera.close = slowly  # type: ignore[method-assign]
    capture = opened(camera)
    closer = threading.Thread(target=capture.close)
    closer.start()
    wait_until(capture._stopping.is_set, "to be told to stop")
    camera.show(picture(1))
    assert closing.wait(PATIENCE)
    closer.join(timeout=0.2)
    assert closer.is_alive()
    go.set()
    closer.join()
    assert camera.closed == 1


def test_who_waits_is_let_go_though_the_camera_hangs(camera: FakeCamera) -> None:
    capture = opened(camera)
    found: list[object] = []
    waiter = threading.Thread(target=lambda: found.append(capture.newest()))
    waiter.start()
    closer = threading.Thread(target=capture.close)
    closer.start()
    waiter.join(timeout=PATIENCE)
    assert found == [None]
    assert camera.closed == 0  # it still hangs
    camera.unplug()
    closer.join()
