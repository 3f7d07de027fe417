"""The golden check: images that every machine makes alike, and what is compared."""

import hashlib

import numpy as np
import pytest

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.golden import compare_golden, golden_images
from edgecnn_runtime.manifest import Colour, GoldenCheck, InputSpec


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (1, 9), (9, 1), (28, 28), (31, 17)])
@pytest.mark.parametrize("colour", Colour)
def test_any_size_has_four_different_kinds_of_image(height: int, width: int, colour: Colour) -> None:
    spec = InputSpec(height, width, colour)
    images = golden_images(spec)
    assert images.shape == (4, *spec.shape)
    assert images.dtype == np.uint8
    noise, ramp, stripes, disc = images
    assert ramp[0, 0, 0] == 0
    assert ramp[-1, -1, 0] == (255 if height * width > 1 else 0)
    assert {*np.unique(stripes)} <= {20, 230}
    assert {*np.unique(disc)} <= {5, 250}
    assert disc[height // 2, width // 2].min() == 250
    if height * width >= 100:
        assert len(np.unique(noise)) > 90
        assert len(np.unique(stripes)) == len(np.unique(disc)) == 2
        assert disc[0, 0, 0] == 5
    for plain in (ramp, stripes, disc):
        assert (plain == plain[..., :1]).all()


def test_the_noise_is_that_of_numerical_recipes() -> None:
    state, expected = 42, []
    for _ in range(12):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        expected.append(state // 2**24)
    assert golden_images(InputSpec(2, 2, Colour.RGB))[0].ravel().tolist() == expected


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        (InputSpec(28, 28, Colour.GREY), "fa701d7b2c0e6466"),
        (InputSpec(31, 17, Colour.RGB), "fbbce51eb682a3ea"),
        (InputSpec(2, 3, Colour.GREY), "861ebda2f3d15a74"),
    ],
)
def test_the_images_stay_those_that_exported_files_were_checked_on(spec: InputSpec, digest: str) -> None:
    assert hashlib.sha256(golden_images(spec).tobytes()).hexdigest()[:16] == digest


def check(*rows: tuple[float, ...], tolerance: float = 0.125) -> GoldenCheck:
    return GoldenCheck(rows, tolerance)


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        ([[0.25, 0.75], [1.0, 0.0]], True),
        ([[0.375, 0.625], [1.0, 0.0]], True),  # by exactly the tolerance
        ([[0.25, 0.75], [0.75, 0.25]], False),
        ([[0.25, 0.75], [1.0, float("nan")]], False),
    ],
)
def test_no_probability_may_differ_by_more_than_the_tolerance(found: list[list[float]], passed: bool) -> None:
    result = compare_golden(np.array(found, np.float32), check((0.25, 0.75), (1.0, 0.0)))
    assert result.passed is passed
    if passed:
        assert result.largest_difference == pytest.approx(abs(found[0][0] - 0.25))


@pytest.mark.parametrize("shape", [(1, 2), (3, 2), (2, 1), (2, 3)])
def test_another_number_of_images_or_classes_is_no_check(shape: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=r"golden check: expected \(.*got \(2, 2\); export again"):
        compare_golden(np.zeros(shape, np.float32), check((0.25, 0.75), (1.0, 0.0)))
