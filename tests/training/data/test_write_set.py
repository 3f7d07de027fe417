"""Writing a prepared set: what cannot be read, names as they come, and the number of images known at the end."""

import io

import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_training.data.npy_writer import NpyWriter
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.write_set import write_set

SPEC = InputSpec(8, 8, Colour.GREY)


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), level).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder, images, files=None):
    files = files or [f"{number}.png" for number in range(len(images))]
    split = SourceSplit(images, np.arange(len(images)) % 2, files)
    test = SourceSplit([png(1), png(2)], np.arange(2), ["a", "b"])
    return write_set(
        folder,
        RawImageSet(("cat", "dog"), {"train": split, "test": test}),
        name="small",
        spec=SPEC,
        provenance="a test",
    )


UNREADABLE = {"empty": b"", "no image": b"hello", "truncated": png(7)[:50], "header only": png(7)[:33]}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_image_that_cannot_be_read_is_left_out_and_named(kind, tmp_path):
    images = [png(level) for level in range(6)]
    images[3] = UNREADABLE[kind]
    image_set = write(tmp_path / "set", images)
    train = image_set.split("train")
    assert train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5]
    assert train.labels.tolist() == [0, 1, 0, 0, 1]
    assert train.files == ("0.png", "1.png", "2.png", "4.png", "5.png")
    (said,) = (warning for warning in image_set.warnings if "cannot be read" in warning)
    assert said.startswith("train: images that cannot be read are left out: 1 (3.png); the first: image: expected a ")


def test_no_image_that_can_be_read(tmp_path):
    with pytest.raises(DataError, match=r"train: expected images that Pillow reads, got none among 2 \(0.png, 1.png\)"):
        write(tmp_path / "set", [b"", b"x"])
    assert list(tmp_path.iterdir()) == []


def test_a_class_without_an_image_that_can_be_read_is_not_trained(tmp_path):
    """The images of the other class would be all that is learnt."""
    deep = io.BytesIO()
    Image.fromarray(np.full((8, 8), 200, np.uint16)).save(deep, "PNG")
    with pytest.raises(
        DataError, match=r"small: dog: train: .* got none among 2 \(1.png, 3.png\); the first: .*65,535"
    ):
        write(tmp_path / "set", [png(1), deep.getvalue(), png(3), deep.getvalue()])


def test_names_of_any_characters_stay_one_line_each(tmp_path):
    names = ["a\nb", "c\u2028d", "猫.png", "\udcff.png"]
    files = write(tmp_path / "set", [png(level) for level in range(4)], names).split("train").files
    assert files == ("a\\nb", "c\\u2028d", "猫.png", "\\udcff.png")


def test_more_images_than_one_chunk_keep_their_order(tmp_path):
    image_set = write(tmp_path / "set", [png(level % 256) for level in range(500)])
    assert image_set.split("train").images[:, 3, 3, 0].tolist() == [level % 256 for level in range(500)]


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_the_header_tells_how_many_were_written(count, tmp_path):
    with NpyWriter(tmp_path / "x.npy", (2, 3)) as writer:
        for number in range(count):
            writer.append(np.full((2, 3), number % 256, np.uint8))
    read = np.load(tmp_path / "x.npy", mmap_mode="r" if count else None)
    assert read.shape == (count, 2, 3)
    assert read[:, 0, 0].tolist() == [number % 256 for number in range(count)]


@pytest.mark.parametrize("item", [np.zeros((3, 2), np.uint8), np.zeros((2, 3), np.int64)])
def test_another_shape_or_type_is_refused(item, tmp_path):
    with NpyWriter(tmp_path / "x.npy", (2, 3)) as writer, pytest.raises(ValueError, match=r"uint8 \(2, 3\)"):
        writer.append(item)


def test_a_source_that_ends_early_is_an_error(tmp_path):
    source = RawImageSet(("cat", "dog"), {"train": SourceSplit(iter([png(1)]), np.arange(2), ["a", "b"])})
    with pytest.raises(ValueError, match="shorter"):
        write_set(tmp_path / "set", source, name="small", spec=SPEC, provenance="a test")
    assert list(tmp_path.iterdir()) == []
