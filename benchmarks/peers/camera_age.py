"""How old the answer about a camera's picture is, when the model is slower than the camera.

    python benchmarks/peers/camera_age.py runs/mnist/export/mnist_int8.tflite            # seven minutes
    python benchmarks/peers/camera_age.py runs/mnist/export/mnist_int8.tflite --hour     # the same hour in real time

The camera gives 640x480 pictures of noise at 30 frames/s, by the clock, whether anybody takes them or not; the model is
the file's, computed again and again for each answer until 2.2 frames' time has passed. An hour of 108,000 frames runs
ten times as fast: a camera of 300 frames/s and a model as much quicker, so that whatever disturbs it weighs ten times.
Age is counted from the moment the picture was due, not from when our thread had it, so on a machine that has
other work to do late answers are the machine's.

The peer is the loop that OpenCV's documentation shows, on a driver that keeps four pictures as V4L2 does and drops
the new ones while all are full: it answers the oldest.
"""

import argparse
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from interleaved import interleave, ratio
from numpy.typing import NDArray

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime import Classifier, stream
from edgecnn_runtime.backends import Backend
from edgecnn_runtime.video.capture import Picture
from edgecnn_runtime.video.capture.newest import NewestFrames

RATE = 30.0  # frames a second
HOUR = 108_000  # frames
SPEED = 10.0  # of the hour
_FRAMES_PER_ANSWER = 2.2
_QUEUE = 4  # pictures that a V4L2 driver keeps
_ROUNDS = 9
_ROUND = 2.0  # seconds


@dataclass(frozen=True)
class CameraAge:
    """Ages are seconds from a picture's due time to its answer; `times` are in units of the answer's own inference."""

    frames: int  # that the camera gave
    answers: int
    rate: float  # of the camera, frames a second
    inference: float  # median, seconds, with pre-processing
    median: float
    longest: float
    median_times: float
    times_of_1000: float  # that 999 of 1,000 answers stay below
    longest_times: float
    late: int  # answers of two inference times or more
    first_tenth_times: float  # medians of the first and of the last tenth: does it grow?
    last_tenth_times: float


@dataclass(frozen=True)
class AgeOfPeer:
    """Medians of the age in milliseconds, round by round."""

    ours: Estimate
    plain_loop: Estimate
    plain_loop_is_older: Estimate


class _Camera:
    """Pictures by the clock; one that nobody reads in time is gone."""

    live = True

    def __init__(self, rate: float, frames: int) -> None:
        noise = np.random.default_rng(0)
        self._pictures = [noise.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(8)]
        self._interval, self._frames = 1 / rate, frames
        self._started = time.monotonic()
        self.given = 0

    def read(self) -> Picture | None:
        self.given = max(self.given + 1, int((time.monotonic() - self._started) / self._interval))
        if self.given > self._frames:
            return None
        due = self._started + self.given * self._interval
        time.sleep(max(0.0, due - time.monotonic()))
        return Picture(self._pictures[self.given % 8].copy(), due)

    def skip(self) -> bool:
        return self.read() is not None

    def close(self) -> None:
        pass


class _Slow:
    """A backend that computes each answer again and again for some seconds."""

    def __init__(self, backend: Backend, seconds: float) -> None:
        self._backend, self._seconds = backend, seconds
        self.name, self.manifest_json = backend.name, backend.manifest_json
        self.input_shape, self.classes = backend.input_shape, backend.classes

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        end = time.monotonic() + self._seconds
        while True:
            probabilities = self._backend.infer(pixels)
            if time.monotonic() >= end:
                return probabilities

    def another(self) -> Backend:
        return _Slow(self._backend.another(), self._seconds)


def measure_camera_age(model: Path, *, frames: int | None = None, speed: float = SPEED) -> CameraAge:
    """Follow a camera for a number of frames, an hour's by default, at a multiple of 30 frames/s."""
    frames, rate = frames or HOUR, RATE * speed
    classifier = _slower_than(model, rate)
    camera = _Camera(rate, frames)
    own, ages = [], []
    with NewestFrames(lambda: camera, "camera", ends=True) as capture:
        for result in stream(classifier, capture):
            assert result.frame is not None
            assert result.frame.position is not None
            assert result.latency is not None
            ages.append(time.monotonic() - result.frame.position)
            own.append(result.latency.preprocess + result.latency.inference)
    age, inference = np.array(ages), np.array(own)
    times, tenth = age / inference, max(1, len(ages) // 10)
    return CameraAge(
        frames=frames,
        answers=len(ages),
        rate=rate,
        inference=float(np.median(inference)),
        median=float(np.median(age)),
        longest=float(age.max()),
        median_times=float(np.median(times)),
        times_of_1000=float(np.quantile(times, 0.999)),
        longest_times=float(times.max()),
        late=int((times >= 2).sum()),
        first_tenth_times=float(np.median(times[:tenth])),
        last_tenth_times=float(np.median(times[-tenth:])),
    )


def measure_age_of_peer(model: Path) -> AgeOfPeer:
    """Compare the median age with that of the plain loop, at 30 frames/s."""
    classifier = _slower_than(model, RATE)
    frames = int(RATE * _ROUND)

    def ours() -> float:
        with NewestFrames(lambda: _Camera(RATE, frames), "camera", ends=True) as capture:
            results = stream(classifier, capture)
            return _median_age(result.frame.position for result in results if result.frame)

    def plain_loop() -> float:
        return _median_age(_answered_oldest_first(classifier, _Camera(RATE, frames)))

    figures = interleave({"ours": ours, "plain": plain_loop}, rounds=_ROUNDS)
    return AgeOfPeer(
        ours=median_estimate(figures["ours"]),
        plain_loop=median_estimate(figures["plain"]),
        plain_loop_is_older=ratio(figures["plain"], figures["ours"]),
    )


def _median_age(due_of_answers: object) -> float:
    return 1000 * float(np.median([time.monotonic() - due for due in due_of_answers]))  # type: ignore[attr-defined]


def _answered_oldest_first(classifier: Classifier, camera: _Camera) -> object:
    """Yield the due time of each picture once it is classified, from a driver's queue."""
    pictures: queue.Queue[Picture | None] = queue.Queue(_QUEUE)

    def driver() -> None:
        while (picture := camera.read()) is not None:
            if not pictures.full():
                pictures.put(picture)
        pictures.put(None)

    thread = threading.Thread(target=driver)
    thread.start()
    while (picture := pictures.get()) is not None:
        classifier.predict(picture.pixels)
        yield picture.position
    thread.join()


def _slower_than(model: Path, rate: float) -> Classifier:
    """Open a model that takes more than the time of two frames for an answer."""
    classifier = Classifier.open(model)
    return Classifier(_Slow(classifier.backend, _FRAMES_PER_ANSWER / rate), classifier.manifest)


def sentence(age: CameraAge) -> str:
    """Say what was found."""
    return (
        f"{age.frames:,} frames at {age.rate:g}/s, an answer in {1000 * age.inference:.1f} ms: answers were "
        f"{age.median_times:.2f} inference times old (median; first tenth {age.first_tenth_times:.2f}, last tenth "
        f"{age.last_tenth_times:.2f}), 999 of 1,000 below {age.times_of_1000:.2f}; {age.late} of {age.answers:,} were "
        f"two or older, the oldest {1000 * age.longest:.0f} ms."
    )


def main() -> None:
    """Measure a model file and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--hour", action="store_true", help="a real hour at 30 frames/s instead of six minutes")
    parser.add_argument("--frames", type=int, help="default: an hour's")
    parser.add_argument("--speed", type=float, default=SPEED, help="times 30 frames/s")
    arguments = parser.parse_args()
    peer = measure_age_of_peer(arguments.model)
    print(
        f"Age of the answer at 30 frames/s: {figure(peer.ours)} ms; the plain loop's is {figure(peer.plain_loop)} ms, "
        f"{figure(peer.plain_loop_is_older)} times as old.",
        flush=True,
    )
    speed = 1.0 if arguments.hour else arguments.speed
    print(sentence(measure_camera_age(arguments.model, frames=arguments.frames, speed=speed)))


if __name__ == "__main__":
    main()
