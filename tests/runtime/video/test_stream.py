"""`stream`: a source through a classifier, with a fake camera and a fake model."""

import time
from collections.abc import Iterator
from pathlib import Path

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from video_files import red, write_video

from edgecnn_runtime import Classifier, Smoothing, SourceError, stream
from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme
from edgecnn_runtime.video.capture import EventKind
from edgecnn_runtime.video.capture.fake import FakeCamera
from edgecnn_runtime.video.capture.newest import NewestFrames

LABELS = ("black", "dark", "bright", "white")


@pytest.fixture
def classifier() -> Classifier:
    manifest = Manifest("grey", LABELS, InputSpec(4, 4, Colour.GREY), Scheme.FLOAT32)
    return Classifier(FakeBackend(input_shape=(4, 4, 1), classes=4), manifest)


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    camera = FakeCamera()
    yield camera
    camera.unplug()


def grey(value: int) -> NDArray[np.uint8]:
    return np.full((6, 8, 3), value, np.uint8)


def test_each_frame_of_a_camera_is_answered_with_its_times(classifier: Classifier, camera: FakeCamera) -> None:
    with NewestFrames(camera.open, "fake", retry_first=0.001) as capture:
        results = stream(classifier, capture)
        for number, value in enumerate((10, 100, 250), start=1):
            camera.show(grey(value))
            result = next(results)
            assert result.frame is not None
            assert result.prediction is not None
            assert result.latency is not None
            assert result.age is not None
            assert result.frame.number == number
            assert result.label == result.prediction.label == LABELS[value // 64]
            assert result.changed
            parts = (result.latency.wait, result.latency.preprocess, result.latency.inference)
            assert min(parts) >= 0
            assert sum(parts) <= result.age <= time.monotonic() - result.frame.captured
            assert (result.dropped, result.events) == (0, ())
        results.close()  # type: ignore[attr-defined]
        assert not capture.lost
        camera.show(grey(1))
        assert capture.newest(after=3) is not None  # a source that was given open stays open
        camera.unplug()


def test_frames_that_come_during_an_inference_are_dropped_but_the_last(
    classifier: Classifier, camera: FakeCamera
) -> None:
    with NewestFrames(camera.open, "fake") as capture:
        results = stream(classifier, capture)
        camera.show(grey(10))
        assert next(results).label == "black"
        for value in (20, 30, 200):
            camera.show(grey(value))
        camera.wait_until_read()
        result = next(results)
        assert (result.label, result.dropped) == ("white", 2)
        assert result.frame is not None
        assert result.frame.number == 4
        camera.unplug()


def test_a_lost_camera_is_told_at_once_and_its_label_ends(classifier: Classifier, camera: FakeCamera) -> None:
    with NewestFrames(camera.open, "fake", retry_first=0.001, retry_longest=0.001) as capture:
        results = stream(classifier, capture, Smoothing(window=1, min_count=1))
        camera.show(grey(100))
        assert next(results).label == "dark"
        camera.unplug()
        gone = next(results)
        assert [event.kind for event in gone.events] == [EventKind.GAP]
        assert (gone.label, gone.changed, gone.frame, gone.prediction, gone.age) == (None, True, None, None, None)
        camera.plug()
        camera.show(grey(100))
        back = next(results)
        if back.frame is None:  # the news came before the picture
            assert [event.kind for event in back.events] == [EventKind.REOPENED]
            back = next(results)
        assert (back.label, back.changed) == ("dark", True)
        camera.unplug()


def test_a_frozen_camera_votes_for_nothing(classifier: Classifier, camera: FakeCamera) -> None:
    now = 50.0
    with NewestFrames(camera.open, "fake", freeze_after=5, clock=lambda: now) as capture:
        results = stream(classifier, capture)
        labels, kinds = [], []
        for value in (100, 100, 100, 101):
            camera.show(grey(value))
            result = next(results)
            labels.append(result.label)
            kinds += [event.kind for event in result.events]
            now += 3
            camera.wait_until_read()
        assert labels == ["dark", "dark", None, "dark"]
        assert kinds == [EventKind.FROZEN, EventKind.MOVING]
        camera.unplug()


def test_a_file_is_answered_frame_by_frame_and_smoothed_by_its_own_seconds(
    classifier: Classifier, tmp_path: Path
) -> None:
    needs.package("cv2", "edgecnn[camera]")
    odd = [np.full((48, 64, 3), 250 if number in (5, 12, 13, 14, 15) else 20, np.uint8) for number in range(16)]
    video = write_video(tmp_path / "line.avi", odd, rate=10)
    results = list(stream(classifier, video, Smoothing(5, 3)))
    assert [result.prediction.label for result in results if result.prediction].count("white") == 5
    assert [(result.frame.number, result.label) for result in results if result.changed and result.frame] == [
        (3, "black"),
        (15, "white"),
    ]
    assert results[-1].since == pytest.approx(1.4)
    assert {result.dropped for result in results} == {0}
    fewer = stream(classifier, str(video), every=4)
    assert [result.frame.number for result in fewer if result.frame] == [1, 5, 9, 13]


def test_pixels_of_the_source_go_through_the_one_pre_processing(classifier: Classifier, tmp_path: Path) -> None:
    needs.package("cv2", "edgecnn[camera]")
    video = write_video(tmp_path / "red.avi", [red(255)] * 2)
    for result in stream(classifier, video):
        assert result.frame is not None
        assert result.prediction is not None
        assert result.label == classifier.predict(result.frame.pixels).label == "dark"  # 0.299 of red is grey 76


def test_wrong_arguments_are_told_at_once(classifier: Classifier) -> None:
    with pytest.raises(InputError, match="every: expected at least 1, got 0"):
        stream(classifier, 0, every=0)
    with pytest.raises(SourceError, match="not found"):
        next(stream(classifier, "missing.mp4"))
