import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from edgecnn_training.augmentation import Augmentation, Border
from edgecnn_training.networks.augmentation_layers import RandAugment, RandomNoise, _Change, augmented, blurred

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
    {"crop": 0.5},
    {"height": 0.5},
    {"width": 0.5},
    {"rand_augment": 0.5},
    {"blur": 2.0},
    {"noise": 0.2},
    {"erasing": 0.5},
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


def test_a_crop_is_a_part_of_the_image() -> None:
    matrices, shifts = matrices_of(Augmentation(crop=0.4))
    kept = matrices[:, 0, 0]
    np.testing.assert_allclose(matrices, kept[:, None, None] * np.eye(2), atol=1e-4)
    assert 0.6 <= kept.min() < 0.65 < 0.95 < kept.max() <= 1
    room = (1 - kept) / 2 * 41
    assert np.all(np.abs(shifts) <= room[:, None] + 1e-3)
    assert np.any(np.abs(shifts) > 0.8 * room[:, None])


def test_height_and_width_stretch_one_side_alone() -> None:
    for name, axis in (("width", 0), ("height", 1)):
        matrices, shifts = matrices_of(Augmentation(**{name: 0.5}))  # type: ignore[arg-type]
        np.testing.assert_allclose(matrices[:, 1 - axis, 1 - axis], 1, atol=1e-4)
        np.testing.assert_allclose(matrices[:, [0, 1], [1, 0]], 0, atol=1e-4)
        sizes = 1 / matrices[:, axis, axis]
        assert 0.5 <= sizes.min() < 0.6 < 1.4 < sizes.max() <= 1.5 + 1e-3
        np.testing.assert_allclose(shifts, 0, atol=1e-3)


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


def test_a_blur_is_that_of_scipy() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 14, 20, 3)).astype(np.float32)
    deviations = np.array([0.0, 0.7, 1.5], np.float32)
    made = np.asarray(blurred(images, deviations, most=1.5))
    np.testing.assert_allclose(made[0], images[0], atol=1e-3)
    for image, deviation, got in zip(images[1:], deviations[1:], made[1:], strict=True):
        expected = gaussian_filter(image, (deviation, deviation, 0), mode="nearest", radius=(5, 5, 0))
        np.testing.assert_allclose(got, expected, atol=1e-3)


def test_noise_has_a_deviation_of_its_own_in_each_image() -> None:
    grey = np.full((64, 40, 40, 1), 128, np.uint8)
    changed = np.asarray(RandomNoise(0.1, seed=1)(grey, training=True)) - 128
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), 0, atol=3)
    deviations = changed.std(axis=(1, 2, 3)) / 255
    assert 0 <= deviations.min() < 0.01 < 0.09 < deviations.max() <= 0.105
    assert deviations.mean() == pytest.approx(0.05, abs=0.01)


def test_what_is_erased_is_a_rectangle_of_at_most_that_area() -> None:
    pixels = keras.Input((40, 40, 1))
    network = keras.Model(pixels, keras.layers.Activation("linear")(pixels))
    images = np.full((32, 40, 40, 1), 100, np.uint8)
    erased = np.asarray(augmented(network, Augmentation(erasing=0.3), seed=1)(images, training=True))[..., 0] != 100
    areas = []
    for each in erased:
        rows, columns = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) / 1600 if len(rows) else 0.0
        areas.append(area)
        assert each.sum() >= 0.95 * area * 1600  # noise may hit the same value
    assert 0.2 < max(areas) <= 0.36
    assert len(set(areas)) > 10


@pytest.mark.parametrize("channels", [1, 3])
def test_rand_augment_changes_each_image_in_its_own_way(channels: int) -> None:
    """Of the same image, 64 times, some stay, and hardly two become the same."""
    image = np.random.default_rng(0).integers(0, 256, (1, 20, 20, channels), np.uint8)
    changed = np.asarray(RandAugment(0.5, Border.NEAREST, seed=1)(np.repeat(image, 64, axis=0), training=True))
    assert changed.min() >= 0
    assert changed.max() <= 255
    kinds = np.unique(changed.round(2), axis=0)
    assert len(kinds) > 30


def test_the_blends_of_rand_augment_are_those_of_pillow() -> None:
    image = np.random.default_rng(0).integers(60, 190, (1, 20, 20, 3), np.uint8).astype(np.float32)
    layer = RandAugment(1 / 3, Border.NEAREST, seed=1)

    def one(change: _Change, strength: float) -> np.ndarray:
        return np.asarray(layer._changed_once(image, np.array([float(change)]), np.array([strength], np.float32)))

    np.testing.assert_allclose(one(_Change.NOTHING, 1 / 3), image, atol=1e-3)
    np.testing.assert_allclose(one(_Change.BRIGHTNESS, -1 / 3), image * 0.7, atol=1e-2)
    np.testing.assert_allclose(
        one(_Change.CONTRAST, 1 / 3), np.clip(image.mean() + 1.3 * (image - image.mean()), 0, 255), atol=1e-2
    )
    grey = image.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(one(_Change.SATURATION, -1 / 3), grey + 0.7 * (image - grey), atol=1e-2)
    np.testing.assert_allclose(one(_Change.POSTERIZE, 1 / 3), image // 2 * 2, atol=1e-2)
    np.testing.assert_allclose(
        one(_Change.SOLARIZE, 1 / 3), np.where(image >= 256 * 2 / 3, 255 - image, image), atol=1e-2
    )
    low, high = image.min(axis=(1, 2), keepdims=True), image.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(one(_Change.SPREAD, 1 / 3), (image - low) * 255 / (high - low), atol=1e-2)
    aside = one(_Change.SHIFT_ASIDE, 1 / 3)  # 0.15 of 20 pixels
    np.testing.assert_allclose(aside[:, :, :17], image[:, :, 3:], atol=1e-2)


def test_the_network_is_shared() -> None:
    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(2, 3)])
    model = augmented(network, Augmentation(zoom_in=0.1, rotation=0.1), seed=1)
    assert [id(weight) for weight in model.trainable_weights] == [id(weight) for weight in network.trainable_weights]
