import keras
import numpy as np
import pytest

from edgecnn_training.augmentation import Augmentation, augmented

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)


def identity() -> keras.Model:
    pixels = keras.Input((12, 12, 3))
    return keras.Model(pixels, keras.layers.Activation("linear")(pixels))


CHANGES = [
    {"flip_horizontal": True},
    {"flip_vertical": True},
    {"contrast": 0.5},
    {"rotation": 0.5},
    {"zoom": 0.5},
    {"shear": 0.5},
    {"rotation": 1.0, "border": "constant"},
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


def test_nothing_is_no_augmentation() -> None:
    assert not Augmentation()
    assert not Augmentation(border="constant")


def test_the_network_is_shared() -> None:
    network = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(2, 3)])
    model = augmented(keras, network, Augmentation(zoom=0.1, rotation=0.1), seed=1)
    assert [id(weight) for weight in model.trainable_weights] == [id(weight) for weight in network.trainable_weights]
