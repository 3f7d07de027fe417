"""Does memory grow over 100,000 frames of a camera, and over 100,000 calls of `predict`?

    python benchmarks/peers/steadiness.py runs/mnist/export/mnist_int8.tflite runs/mnist/export/mnist_int8.onnx

Each in a fresh process. The frames come through OpenCV from a Motion-JPEG video of 1,000 pictures that ends and is
opened again like a camera that was unplugged, a hundred times; `predict` reads JPEG files. Memory is the resident set,
read a thousand times; the growth is the median of the last tenth less that of the first tenth after a warm-up.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from edgecnn_runtime import Classifier, stream
from edgecnn_runtime.video.capture.newest import NewestFrames
from edgecnn_runtime.video.capture.opencv import OpenCVDevice
from edgecnn_runtime.video.capture.source import parse_source

COUNT = 100_000
_WARM_UP = 2_000
_SAMPLES = 1_000
_VIDEO = 1_000  # pictures
_SIZE = (240, 320)
WORK = ("frames", "predict")


@dataclass(frozen=True)
class Steadiness:
    """Resident memory of one process, in MB (10^6 bytes)."""

    file: str
    work: str  # "frames" of a camera, or calls of "predict"
    count: int
    begin: float  # the median of the first tenth
    growth: float  # the median of the last tenth less that
    highest: float  # the highest sample less that


def measure_steadiness(model: Path, work: str, *, count: int | None = None) -> Steadiness:
    """Measure one model file at one work, in a process of its own. Linux only: it reads `/proc`."""
    command = [sys.executable, __file__, "--child", work, "--count", str(count or COUNT), str(model)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Steadiness(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(model: Path, work: str, count: int) -> Steadiness:
    classifier = Classifier.open(model)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        doing = (_frames if work == "frames" else _predictions)(classifier, Path(scratch))
        for _ in islice(doing, min(_WARM_UP, count)):
            pass
        samples = []
        for number, _ in enumerate(islice(doing, count), start=1):
            if number % max(1, count // _SAMPLES) == 0:
                samples.append(_resident_megabytes())
        doing.close()
    tenth = max(1, len(samples) // 10)
    begin = float(np.median(samples[:tenth]))
    return Steadiness(model.name, work, count, begin, float(np.median(samples[-tenth:])) - begin, max(samples) - begin)


def _frames(classifier: Classifier, scratch: Path) -> Iterator[object]:
    import cv2

    video = scratch / "video.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 30, _SIZE[::-1])
    for picture in _pictures(_VIDEO):
        writer.write(picture)
    writer.release()
    source = parse_source(video)
    with NewestFrames(lambda: OpenCVDevice(source), "video", retry_first=0.0) as capture:
        yield from (result for result in stream(classifier, capture) if result.frame)


def _predictions(classifier: Classifier, scratch: Path) -> Iterator[object]:
    paths = [scratch / f"{number}.jpg" for number in range(100)]
    for path, picture in zip(paths, _pictures(len(paths)), strict=True):
        Image.fromarray(picture).save(path, quality=80)
    while True:
        for path in paths:
            yield classifier.predict(path)


def _pictures(count: int) -> Iterator[np.ndarray]:
    """Yield soft noise, as a camera's, in every colour."""
    random = np.random.default_rng(0)
    height, width = _SIZE
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (height // 8, width // 8, 3), np.uint8))
        yield np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def _resident_megabytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status: expected VmRSS; this benchmark runs on Linux")


def sentence(steadiness: Steadiness) -> str:
    """Say what was found."""
    what = "frames of a camera" if steadiness.work == "frames" else "calls of predict"
    return (
        f"{steadiness.file}: over {steadiness.count:,} {what} memory grew by {steadiness.growth:+.2f} MB "
        f"(from {steadiness.begin:.1f} MB; at most {steadiness.highest:+.2f} MB)."
    )


def main() -> None:
    """Measure model files and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--count", type=int, help="default: 100,000")
    parser.add_argument("--child", choices=WORK, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asdict(_measure_here(arguments.models[0], arguments.child, arguments.count))))
        return
    for model in arguments.models:
        for work in WORK:
            print(sentence(measure_steadiness(model, work, count=arguments.count)), flush=True)


if __name__ == "__main__":
    main()
