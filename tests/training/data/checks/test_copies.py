"""Test images that are also trained on, from a source to the score without them."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.image_set import open_prepared
from edgecnn_training.data.checks import copies
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.write_set import write_set


def photos(count: int) -> list[Image.Image]:
    generator = np.random.default_rng(5)
    noise = (Image.fromarray(generator.integers(0, 256, (48, 48), np.uint8)) for _ in range(count))
    return [image.filter(ImageFilter.GaussianBlur(4)) for image in noise]


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def split(images: list[Image.Image | bytes]) -> SourceSplit:
    return SourceSplit(images, np.arange(len(images)) % 2, [str(number) for number in range(len(images))])


@pytest.fixture
def leaking() -> RawImageSet:
    """Of six test images that can be read, the second is in train, the fourth as a JPEG, the sixth rotated."""
    train, test = photos(20)[:12], photos(20)[12:]
    copied = [b"damaged", test[0], train[3], test[1], jpeg(train[4]), test[2], train[5].rotate(90)]
    return RawImageSet(("cat", "dog"), {"train": split(train), "test": split(copied), "valid": split(test[4:])})


def written(folder, source):
    return write_set(folder, source, name="small", spec=InputSpec(48, 48, Colour.GREY), provenance="a test")


def test_positions_are_those_of_the_images_that_can_be_read(leaking, tmp_path):
    image_set = written(tmp_path / "set", leaking)
    assert image_set.copies == {"test": (1, 3, 5)}
    assert [image_set.split("test").files[position] for position in (1, 3, 5)] == ["2", "4", "6"]
    assert any("2 images are near-identical" in warning for warning in image_set.warnings)
    assert any("1 image is also in train, byte for byte" in warning for warning in image_set.warnings)


def test_in_a_large_set_only_identical_ones_are_looked_for(leaking, tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "_COMPARED", 5)
    assert written(tmp_path / "set", leaking).copies == {"test": (1,)}


def test_a_set_prepared_before_knows_of_none(leaking, tmp_path):
    folder = written(tmp_path / "set", leaking).folder
    path = folder / "dataset.json"
    document = json.loads(path.read_text())
    del document["copies"]
    path.write_text(json.dumps(document))
    assert open_prepared(folder).copies == {}
    path.write_text(json.dumps(document | {"copies": {"test": [6]}}))
    with pytest.raises(DataError, match="expected positions 0…5, got 6"):
        open_prepared(folder)
