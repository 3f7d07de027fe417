import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from edgecnn_training.explain.drawings import occlusion_map
from edgecnn_training.explain.occlusion import occlude

# A bright spot on a dark ground, and nothing else that a model could go by.
SPOT = np.zeros((24, 18, 1), np.uint8)
SPOT[4:8, 10:14] = 200


def bright_spot(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Class 1 by the mean of the spot's place: log-odds 10 times it, less 2."""
    odds = np.exp(10 * pixels[:, 4:8, 10:14].mean(axis=(1, 2, 3)) / 255 - 2)
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1).astype(np.float32)


def test_what_decides_is_found() -> None:
    found = occlude(bright_spot, SPOT, 1, patch=4)
    assert (found.patch, found.stride, found.fill, found.moved) == (4, 1, (0,), True)
    assert (found.top, found.left) == (4, 10)
    # The whole spot covered: the odds are those of an empty image.
    assert found.left_over == pytest.approx(1 / (1 + np.exp(2)))
    outside = found.drop.copy()
    outside[1:11, 7:17] = 0
    np.testing.assert_allclose(outside, 0, atol=1e-5)
    # Of the four by four patches over this pixel, those cover 2, 3, 4 and 3 rows of the spot, and as many columns.
    full = 10 * 200 / 255
    assert found.drop[5, 11] == pytest.approx((12 / 16) ** 2 * full, rel=1e-4)


def test_what_speaks_against_a_class_is_negative() -> None:
    found = occlude(bright_spot, SPOT, 0, patch=4)
    assert not found.moved
    assert found.drop.min() < 0
    assert found.drop.max() <= 1e-5


@pytest.mark.parametrize("patch", [None, 1, 7, 18])
def test_every_pixel_is_covered(patch: int | None) -> None:
    assert np.isfinite(occlude(bright_spot, SPOT, 1, patch=patch).drop).all()


@pytest.mark.parametrize(("scale", "moved"), [(1e-6, True), (0.0, False)])
def test_a_sure_model_is_moved_as_long_as_it_tells_others_apart(scale: float, moved: bool) -> None:
    def sure(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        other = scale * (1 - pixels[:, 4:8, 10:14].mean(axis=(1, 2, 3)) / 255)
        return np.stack([np.ones(len(pixels)), other], axis=1).astype(np.float32)

    assert occlude(sure, SPOT, 0).moved == moved


@pytest.mark.parametrize("number", [0, 1])
def test_the_picture_says_what_it_shows(number: int) -> None:
    figure = occlusion_map(occlude(bright_spot, SPOT, number, patch=4), SPOT, label="spot", probability=0.9)
    FigureCanvasAgg(figure).draw()
    assert "What decided spot (90.0%): a patch of 4 × 4" in figure.get_suptitle()
    titles = [axes.get_title() for axes in figure.axes]
    assert ("The patch that costs most leaves 11.9%" if number else "No patch costs anything") in titles
