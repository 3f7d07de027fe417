import keras
import numpy as np
import pytest

from edgecnn_training.augmentation import Augmentation, Border
from edgecnn_training.networks.augmentation_layers import augmented

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)


def identity() -> keras.Model:
    pixels = keras.Input((12, 12, 3))
    return keras.Model(pixels, keras.layers.Activation("linear")(pixels))


CHANGES = [
    {"flip_horizontal": True},
    {"flip_vertical": True},
    {"contrast": 0.5},
    {"rotation": 0.5},
    {"brightness": 0.5},
    {"zoom_in": 0.5},
    {"zoom_out": 0.5},
    {"shift": 0.5},
    {"shear": 0.5},
    {"rotation": 1.0, "border": Border.BLACK},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_images_change_while_training_and_only_then(change: dict[str, object]) -> None:
    augmentation = Augmentation(**change)  # type: ignore[arg-type]
    assert augmentation
    model = augmented(identity(), augmentation, seed=1)
    np.testing.assert_array_equal(np.asarray(model(PIXELS, training=False)), PIXELS)
    changed = np.asarray(model(PIXELS, training=True))
    assert changed.shape == PIXELS.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not np.array_equal(changed, PIXELS)
    again = augmented(identity(), augmentation, seed=1)
    np.testing.assert_array_equal(np.asarray(again(PIXELS, training=True)), changed)


def test_a_flip_is_a_flip() -> None:
    model = augmented(identity(), Augmentation(flip_horizontal=True), seed=1)
    for before, after in zip(PIXELS, np.asarray(model(PIXELS, training=True)), strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[:, ::-1])


@pytest.mark.parametrize(("border", "pixel"), [(Border.NEAREST, 100), (Border.BLACK, 0), (Border.WHITE, 255)])
def test_what_shows_around_a_smaller_image(border: Border, pixel: int) -> None:
    # The image shrinks by a factor between 1 and 2, so that most of 32 have a border.
    model = augmented(identity(), Augmentation(zoom_out=1.0, border=border), seed=1)
    changed = np.asarray(model(np.full((32, 12, 12, 3), 100, np.uint8), training=True))
    np.testing.assert_allclose(changed[:, 6, 6], 100)
    corners = changed[:, 0, 0].round()
    # Nothing but the two, and on the border between them a mixture.
    assert corners.min() >= min(100, pixel)
    assert corners.max() <= max(100, pixel)
    assert pixel in corners


def matrices_of(augmentation: Augmentation) -> tuple[np.ndarray, np.ndarray]:
    """Read 64 drawn matrices off images of a ramp each way, which interpolation leaves exact.

    Returns:
        `(64, 2, 2)` from drawn positions to those of the image, around the centre; and the shifts `(64, 2)`, pixels.
    """
    side, reach = 41, 3
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    pixels = keras.Input((side, side, 2))
    network = keras.Model(pixels, keras.layers.Activation("linear")(pixels))
    ramps = np.repeat(np.stack([x, y], axis=-1)[None], 64, axis=0)
    changed = np.asarray(augmented(network, augmentation, seed=3)(ramps, training=True), np.float64)
    middle = side // 2
    centre = changed[:, middle, middle]
    matrices = np.stack(
        [changed[:, middle, middle + reach] - centre, changed[:, middle + reach, middle] - centre], axis=-1
    )
    return matrices / reach, centre - middle


def test_a_turn_keeps_shapes() -> None:
    matrices, shifts = matrices_of(Augmentation(rotation=0.1))
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(2), (64, 1, 1)), atol=1e-4)
    turns = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]) / (2 * np.pi)
    assert -0.1 <= turns.min() < -0.05 < 0.05 < turns.max() <= 0.1
    np.testing.assert_allclose(shifts, 0, atol=1e-4)


def test_a_zoom_scales_both_sides_alike() -> None:
    matrices, _ = matrices_of(Augmentation(zoom_in=0.5, zoom_out=0.2))
    scales = matrices[:, 0, 0]
    np.testing.assert_allclose(matrices, scales[:, None, None] * np.eye(2), atol=1e-4)
    assert 0.5 <= scales.min() < 0.6 < 1.1 < scales.max() <= 1.2


def test_a_shift_is_a_share_of_the_side() -> None:
    matrices, shifts = matrices_of(Augmentation(shift=0.1))
    np.testing.assert_allclose(matrices, np.tile(np.eye(2), (64, 1, 1)), atol=1e-4)
    assert 3 < np.abs(shifts).max() <= 4.1


def test_a_shear_leans_lines() -> None:
    matrices, _ = matrices_of(Augmentation(shear=0.3))
    np.testing.assert_allclose(matrices[:, [0, 1], [0, 1]], 1, atol=1e-4)
    slopes = matrices[:, [0, 1], [1, 0]]
    assert -0.3 <= slopes.min() < -0.2 < 0.2 < slopes.max() <= 0.3


def test_changes_come_independently() -> None:
    matrices, _ = matrices_of(Augmentation(flip_horizontal=True, flip_vertical=True, zoom_in=0.2, rotation=0.02))
    flips = {tuple(np.sign(np.diag(matrix))) for matrix in matrices}
    assert flips == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    # A turn and a scale of both sides: the columns stay at a right angle and of one length.
    np.testing.assert_allclose((matrices[:, :, 0] * matrices[:, :, 1]).sum(1), 0, atol=1e-4)
    np.testing.assert_allclose(*np.linalg.norm(matrices, axis=1).T, atol=1e-4)


def test_four_changes_draw_no_softer_than_one() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 12, 12, 3), np.uint8)

    def contrast(**changes: float) -> float:
        model = augmented(identity(), Augmentation(**changes), seed=1)  # type: ignore[arg-type]
        return float(np.asarray(model(noise, training=True)).std())

    assert contrast(rotation=0.04, zoom_in=0.1, shift=0.1, shear=0.1) > 0.9 * contrast(rotation=0.04)


def test_nothing_is_no_augmentation() -> None:
    assert not Augmentation()
    assert not Augmentation(border=Border.WHITE)


def test_the_network_is_shared() -> None:
    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(2, 3)])
    model = augmented(network, Augmentation(zoom_in=0.1, rotation=0.1), seed=1)
    assert [id(weight) for weight in model.trainable_weights] == [id(weight) for weight in network.trainable_weights]
