"""Interpreters that many threads share, and images that strangers send."""

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features
from running_server import LABELS, MANIFEST, GatedBackend, png

from edgecnn_runtime.backends.fake import FakeBackend
from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.image_files import FORMATS
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.server.pool import InterpreterPool, classify_upload, decode_upload

SPEC = MANIFEST.input


def test_no_more_work_at_once_than_the_pool_is_large() -> None:
    backend = GatedBackend()
    pool = InterpreterPool(backend, 3)
    backend.gate.clear()
    with ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(classify_upload, png(250), pool, MANIFEST, max_pixels=1000) for _ in range(12)]
        for _ in range(3):
            assert backend.at_work.acquire(timeout=30)
        assert not backend.at_work.acquire(timeout=0.05)
        backend.gate.set()
        assert {answer.result().prediction.label for answer in answers} == {"white"}
    assert backend.most_together == 3


def test_an_interpreter_that_fails_goes_back() -> None:
    class Failing(FakeBackend):
        def infer(self, pixels: object) -> None:  # type: ignore[override]
            raise RuntimeError("no")

        def another(self) -> "Failing":
            return self

    pool = InterpreterPool(Failing(input_shape=SPEC.shape, classes=len(LABELS)), 1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no"):
            pool.infer(np.zeros((1, *SPEC.shape), np.uint8))


def test_warming_up_runs_each_interpreter_once() -> None:
    ran: list[int] = []

    class Counting(FakeBackend):
        def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            ran.append(id(self))
            return super().infer(pixels)

        def another(self) -> "Counting":
            return Counting(input_shape=self.input_shape, classes=self.classes)

    InterpreterPool(Counting(input_shape=SPEC.shape, classes=4), 4).warm_up()
    assert len(ran) == len(set(ran)) == 4


def encoded(name: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).save(file, name)
    return file.getvalue()


READABLE = [name for name in FORMATS if name != "AVIF" or features.check("avif")]


@pytest.mark.parametrize("name", READABLE)
def test_pixels_are_those_that_the_runtime_reads(name: str) -> None:
    content = encoded(name)
    assert np.array_equal(decode_upload(content, SPEC, max_pixels=2000), read_image(content, SPEC))
    with pytest.raises(ImageError, match="an image of at most 1,999 pixels, got 50 x 40 pixels; scale it down first"):
        decode_upload(content, SPEC, max_pixels=1999)


@pytest.mark.parametrize("name", READABLE)
def test_damaged_files_are_refused_or_read(name: str) -> None:
    content = encoded(name)
    chance = random.Random(1)
    for number in range(40):
        damaged = bytearray(content)
        if number % 4 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            for _ in range(chance.choice((1, 2, 5, 20))):
                damaged[chance.randrange(chance.choice((64, 600, len(damaged))))] = chance.randrange(256)
        with contextlib.suppress(ImageError):
            assert decode_upload(bytes(damaged), SPEC, max_pixels=50_000_000).shape == SPEC.shape


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 1000,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg xmlns='x'/>",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_image_of_these_formats(content: bytes) -> None:
    with pytest.raises(ImageError, match="image: "):
        decode_upload(content, SPEC, max_pixels=1000)
