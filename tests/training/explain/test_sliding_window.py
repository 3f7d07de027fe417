"""The three operations against SciPy and Keras."""

import keras
import numpy as np
import pytest
from scipy.signal import correlate2d

from edgecnn_runtime.errors import InputError
from edgecnn_training.explain.sliding_window import correlate, max_pool, parse_kernel, relu
from edgecnn_training.explain.window import Padding, Window

IMAGE = np.random.default_rng(0).normal(size=(13, 10))
SOBEL = parse_kernel("-1,-2,-1; 0,0,0; 1,2,1")


def test_by_hand() -> None:
    # A dark upper and a bright lower half: the kernel answers at the edge, 4 = 1 + 2 + 1.
    image = np.repeat([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 6).reshape(6, 6)
    filtered = correlate(image, SOBEL, stride=1, padding=Padding.VALID)
    assert filtered.tolist() == [[0] * 4, [4] * 4, [4] * 4, [0] * 4]
    assert max_pool(relu(filtered), size=2, stride=2, padding=Padding.VALID).tolist() == [[4, 4], [4, 4]]
    assert relu(-filtered).max() == 0


@pytest.mark.parametrize(("padding", "mode"), [(Padding.VALID, "valid"), (Padding.SAME, "same")])
@pytest.mark.parametrize("stride", [1, 2])
def test_filter_is_that_of_scipy(padding: Padding, mode: str, stride: int) -> None:
    expected = correlate2d(IMAGE, SOBEL, mode=mode)
    if stride == 1 or padding is Padding.VALID:
        np.testing.assert_allclose(
            correlate(IMAGE, SOBEL, stride=stride, padding=padding), expected[::stride, ::stride], atol=1e-12
        )


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 5)])
def test_filter_and_pool_are_those_of_keras(padding: Padding, stride: int, size: tuple[int, int]) -> None:
    kernel = np.random.default_rng(1).normal(size=size)
    batch = IMAGE[np.newaxis, :, :, np.newaxis]
    convolution = keras.layers.Conv2D(1, size, strides=stride, padding=padding, use_bias=False, dtype="float64")
    convolution.build(batch.shape)
    convolution.set_weights([kernel[:, :, np.newaxis, np.newaxis]])
    expected = np.asarray(convolution(batch))[0, :, :, 0]
    np.testing.assert_allclose(correlate(IMAGE, kernel, stride=stride, padding=padding), expected, atol=1e-12)
    pooling = keras.layers.MaxPooling2D(size[0], strides=stride, padding=padding, dtype="float64")
    expected = np.asarray(pooling(batch))[0, :, :, 0]
    np.testing.assert_array_equal(max_pool(IMAGE, size=size[0], stride=stride, padding=padding), expected)


def test_a_kernel_larger_than_the_image() -> None:
    with pytest.raises(InputError, match=r"kernel: expected at most 13x10.*got 14x1"):
        correlate(IMAGE, np.ones((14, 1)), stride=1, padding=Padding.VALID)


@pytest.mark.parametrize("text", ["", "1,2;3", "1,two", "1;2;nan", ";"])
def test_what_is_no_kernel(text: str) -> None:
    with pytest.raises(InputError, match="rows of equal length"):
        parse_kernel(text)


@pytest.mark.parametrize("field", ["stride", "pool", "pool_stride"])
def test_a_window_that_does_not_slide(field: str) -> None:
    with pytest.raises(InputError, match="expected at least 1, got 0"):
        Window(**{field: 0})
