import keras
import numpy as np
import pytest

from edgecnn_training.augmentation import Augmentation, Border, augmented

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
    model = augmented(keras, identity(), augmentation, seed=1)
    np.testing.assert_array_equal(np.asarray(model(PIXELS, training=False)), PIXELS)
    changed = np.asarray(model(PIXELS, training=True))
    assert changed.shape == PIXELS.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not np.array_equal(changed, PIXELS)
    again = augmented(keras, identity(), augmentation, seed=1)
    np.testing.assert_array_equal(np.asarray(again(PIXELS, training=True)), changed)


def test_a_flip_is_a_flip() -> None:
    model = augmented(keras, identity(), Augmentation(flip_horizontal=True), seed=1)
    for before, after in zip(PIXELS, np.asarray(model(PIXELS, training=True)), strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[:, ::-1])


@pytest.mark.parametrize(("border", "pixel"), [(Border.NEAREST, 100), (Border.BLACK, 0), (Border.WHITE, 255)])
def test_what_shows_around_a_smaller_image(border: Border, pixel: int) -> None:
    # The image shrinks by a factor between 1 and 2, so that most of 32 have a border.
    model = augmented(keras, identity(), Augmentation(zoom_out=1.0, border=border), seed=1)
    changed = np.asarray(model(np.full((32, 12, 12, 3), 100, np.uint8), training=True))
    np.testing.assert_allclose(changed[:, 6, 6], 100)
    corners = changed[:, 0, 0].round()
    # Nothing but the two, and on the border between them a mixture.
    assert corners.min() >= min(100, pixel)
    assert corners.max() <= max(100, pixel)
    assert pixel in corners


def test_nothing_is_no_augmentation() -> None:
    assert not Augmentation()
    assert not Augmentation(border=Border.WHITE)


def test_the_network_is_shared() -> None:
    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(2, 3)])
    model = augmented(keras, network, Augmentation(zoom_in=0.1, rotation=0.1), seed=1)
    assert [id(weight) for weight in model.trainable_weights] == [id(weight) for weight in network.trainable_weights]
