"""What an image may cost: the peak memory of a process of its own, for each hostile image through each entrance."""

import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import needs
import numpy as np
import pytest
from hostile_images import filled_png, jpeg_of_scans, tiled_tiff
from needs import Need
from PIL import Image
from small_onnx import small_onnx

from edgecnn_runtime import Colour, InputSpec

pytestmark = needs.mark(sys.platform.startswith("linux"), Need.SYSTEM, "Linux's /proc, which tells the peak")

# Each takes 200 MB to 1.6 GB, or minutes, where nothing looks at its shape first.
HOSTILE = {
    "wide.png": lambda: filled_png(49_000_000, 1),
    "tall.png": lambda: filled_png(1, 49_000_000),
    "tile.tif": lambda: tiled_tiff(14_500),
    "scans.jpg": lambda: jpeg_of_scans(5_000, Image.new("RGB", (2000, 2000))),
}
MEBIBYTE = 1 << 20
SPEC = InputSpec(16, 24, Colour.GREY)

# Each defines `work(path)`, which a warm-up on a small image precedes; `folder` holds the model and all images.
CLASSIFIER = """
    from edgecnn_runtime import Classifier
    classifier = Classifier.open(folder / "tiny.onnx")
"""
REFUSING = {
    "read_image, a path": "work = lambda path: read_image(path, spec)",
    "read_image, bytes": "work = lambda path: read_image(path.read_bytes(), spec)",
    "read_image, decoded at a fraction": """
        from dataclasses import replace
        from edgecnn_runtime import Decode
        work = lambda path: read_image(path, replace(spec, decode=Decode.SCALED))
    """,
    "Classifier.predict": CLASSIFIER + "\n    work = lambda path: classifier.predict(path)",
    "an upload": """
        from edgecnn_runtime.server.pool import decode_upload
        work = lambda path: decode_upload(path.read_bytes(), spec, max_pixels=50_000_000)
    """,
}
TELLING = {
    "predict_many": CLASSIFIER
    + """
    def work(path):
        for item in classifier.predict_many([path] * 4, workers=4):
            if item.error:
                raise ImageError(item.error)
    """,
    "a source that is examined": """
        from edgecnn_training.data.checks.examine import examine
        from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
        def work(path):
            split = SourceSplit([path, path.read_bytes()], np.zeros(2, np.int64), ["a", "b"])
            unreadable = examine(RawImageSet(("x",), {"train": split}))["train"].unreadable
            if unreadable:
                raise ImageError(*unreadable)
    """,
    "a kernel drawn at the image's own size": """
        from edgecnn_training.explain.explanation import _own_size
        work = lambda path: _own_size(path)
    """,
}

_PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes
from edgecnn_runtime import Colour, ImageError, InputSpec
from edgecnn_runtime.image_files import load_readers
from edgecnn_runtime.preprocess import read_image

folder, spec = Path(sys.argv[1]), InputSpec(16, 24, Colour.GREY)
load_readers()
{entrance}
work(folder / "small.png")
before, errors = peak_memory_bytes(), {{}}
for name in sys.argv[2:]:
    try:
        work(folder / name)
    except ImageError as error:
        errors[name] = str(error)
print(json.dumps({{"errors": errors, "bytes": peak_memory_bytes() - before}}))
"""


def measured(entrance: str, folder: Path, *names: str) -> tuple[dict[str, str], int]:
    """Return the errors and the additional peak memory of an entrance that is given these files one after another."""
    program = _PROGRAM.format(entrance=textwrap.dedent(entrance))
    done = subprocess.run(
        [sys.executable, "-c", program, os.fspath(folder), *names], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout.splitlines()[-1])
    return document["errors"], document["bytes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bounds")
    small_onnx(folder / "tiny.onnx", spec=SPEC)
    for name, content in {**HOSTILE, "small.png": lambda: filled_png(30, 20)}.items():
        (folder / name).write_bytes(content())
    return folder


@pytest.mark.parametrize("entrance", {**REFUSING, **TELLING})
def test_every_entrance_refuses_by_the_shape(folder: Path, entrance: str) -> None:
    if entrance in TELLING and entrance != "predict_many":
        needs.package("edgecnn_training", "edgecnn[train]")
    errors, grown = measured({**REFUSING, **TELLING}[entrance], folder, *HOSTILE)
    assert list(errors) == list(HOSTILE)
    assert grown < 48 * MEBIBYTE


@pytest.mark.parametrize("shape", ["(1, 49_000_000)", "(49_000_000, 1)", "(1, 49_000_000, 3)"])
@pytest.mark.parametrize("kind", ["np.zeros({}, np.uint8)", "Image.fromarray(np.zeros({}, np.uint8))"])
def test_what_a_caller_has_in_memory_is_not_blown_up(folder: Path, shape: str, kind: str) -> None:
    made = kind.format(shape)
    errors, grown = measured(
        f"big = {made}\nwork = lambda path: read_image(path if path.stem == 'small' else big, spec)", folder, "wide.png"
    )
    assert "pixels per side, got" in errors["wide.png"]
    assert grown < 48 * MEBIBYTE


def _made(kind: str, size: tuple[int, int]) -> bytes:
    """Return an image of one colour, in the modes and turns that need copies."""
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    match kind:
        case "turned":
            Image.new("RGB", size).save(stream, "jpeg", exif=exif)
        case "progressive":
            Image.new("RGB", size).save(stream, "jpeg", progressive=True, subsampling=0)
        case "transparent palette":
            Image.new("P", size).save(stream, "png", transparency=0)
        case "16-bit":
            Image.fromarray(np.zeros(size[::-1], np.uint16)).save(stream, "png")
        case "CMYK":
            Image.new("CMYK", size).save(stream, "jpeg")
        case _:
            Image.new(kind, size).save(stream, "png")
    return stream.getvalue()


# 12 megapixels as a photo, and as the longest strip that is taken; no JPEG is that long.
PNGS = ("L", "RGB", "RGBA", "LA", "transparent palette", "16-bit")
JPEGS = ("CMYK", "turned", "progressive")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "size"),
    [*((kind, (4000, 3000)) for kind in (*PNGS, *JPEGS)), *((kind, (92, 131_072)) for kind in PNGS)],
)
def test_what_is_taken_costs_at_most_eleven_bytes_per_pixel(folder: Path, kind: str, size: tuple[int, int]) -> None:
    (folder / "taken").write_bytes(_made(kind, size))
    errors, grown = measured(REFUSING["read_image, a path"], folder, "taken")
    assert errors == {}
    assert grown < 11 * size[0] * size[1] + 24 * MEBIBYTE


@pytest.mark.parametrize("size", [(12_000, 9_000), (20_000, 2_000)])
def test_large_photos_scans_and_strips_are_read(folder: Path, size: tuple[int, int]) -> None:
    (folder / "large.png").write_bytes(filled_png(*size))
    errors, grown = measured(REFUSING["Classifier.predict"] if size[0] == 12_000 else REFUSING["read_image, a path"],
                             folder, "large.png")  # fmt: skip
    assert errors == {}
    assert grown < 2 * size[0] * size[1] + 24 * MEBIBYTE
