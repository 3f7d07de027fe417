"""What a folder may hold besides images, through every door: `read_image`, `predict_many`, the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
from hostile_images import HOSTILE, write_hostile
from needs import Need
from small_onnx import small_onnx

from edgecnn_runtime import Classifier, Colour, Decode, ImageError, InputSpec
from edgecnn_runtime.preprocess import read_image

SPEC = InputSpec(16, 24, Colour.GREY)
# Nobody is refused a file that is allowed everything.
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_hostile(tmp_path_factory.mktemp("hostile") / "images")


def expected_error(name: str) -> str | None:
    return None if name == "forbidden.png" and ROOT else HOSTILE[name].error


def test_there_are_more_than_sixty(files: dict[str, Path]) -> None:
    assert len(files) >= 60


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("decode", list(Decode))
def test_each_is_read_right_or_is_an_image_error(files: dict[str, Path], name: str, decode: Decode) -> None:
    if name not in files:
        needs.skip(Need.SYSTEM, "files of that name")
    error = expected_error(name)
    spec = InputSpec(SPEC.height, SPEC.width, SPEC.colour, decode=decode)
    if error is None:
        pixels = read_image(files[name], spec)
        assert pixels.shape == spec.shape
        assert pixels[:, :10].max() < 60, "its left half is dark"
        assert pixels[:, 14:].min() > 190, "its right half is bright"
    else:
        with pytest.raises(ImageError) as raised:
            read_image(files[name], spec)
        assert error in str(raised.value)
        assert name in str(raised.value)


def test_in_a_batch_each_is_an_item_in_its_place(files: dict[str, Path], tmp_path: Path) -> None:
    classifier = Classifier.open(small_onnx(tmp_path / "tiny.onnx", spec=SPEC))
    items = list(classifier.predict_many(files.values(), workers=3))
    assert [item.source for item in items] == [os.fspath(path) for path in files.values()]
    for item, (name, path) in zip(items, files.items(), strict=True):
        assert (item.error is None) == (expected_error(name) is None), name
        if item.prediction is not None:
            assert np.array_equal(item.prediction.probabilities, classifier.predict(path).probabilities), name


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_command_line_tells_each(files: dict[str, Path], tmp_path: Path, form: str) -> None:
    model = small_onnx(tmp_path / "tiny.onnx", spec=SPEC)
    names = [os.fspath(path) for path in files.values() if not path.is_dir()]
    options = ["--json"] if form == "json" else []
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "predict", str(model), *names, *options],
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr
    failed = sum(expected_error(name) is not None for name, path in files.items() if not path.is_dir())
    assert f"error: {failed} of {len(names)} images could not be read" in done.stderr.decode()
    if form == "json":
        documents = [json.loads(line) for line in done.stdout.decode("utf-8", "surrogateescape").splitlines()]
        assert len(documents) == len(names)
        assert sum("error" in document for document in documents) == failed
    else:
        # One line an image, whatever its name holds, and nothing that a terminal would obey.
        assert len(done.stdout.splitlines()) == len(names) + 2
        assert b"\x1b" not in done.stdout
