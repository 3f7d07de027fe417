import keras
import numpy as np
import pytest

from edgecnn_training.augmentation import Augmentation
from edgecnn_training.fit import compile_network
from edgecnn_training.networks.soft_labels import MixedImages, SoftLabelModel, smoothed
from edgecnn_training.settings import Optimizer, TrainingSettings

COUNT, CLASSES = 12, 4
# Image i has the value i everywhere, so that what is mixed can be read off it.
IMAGES = np.broadcast_to(np.arange(COUNT)[:, None, None, None], (COUNT, 10, 16, 3)).astype(np.float32)
NUMBERS = np.arange(COUNT) % CLASSES
ROWS = np.eye(CLASSES, dtype=np.float32)[NUMBERS]
WITHOUT_STEPS = TrainingSettings(epochs=1, batch_size=COUNT, optimizer=Optimizer.SGD, learning_rate=1e-30)


def test_smoothing_spreads_a_share_over_all_classes() -> None:
    np.testing.assert_allclose(
        np.asarray(smoothed(np.array([2, 0]), 4, 0.2)), [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]], rtol=1e-6
    )


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0.0), (0.0, 1.0), (0.4, 1.0)])
def test_labels_are_mixed_as_the_images_are(mixup: float, cutmix: float) -> None:
    images, labels = (np.asarray(each, np.float64) for each in MixedImages(mixup, cutmix, seed=1)(IMAGES, ROWS))
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    before = np.roll(np.arange(COUNT), 1)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        share = (image.mean() - before[number]) / (number - before[number])
        expected = share * ROWS[number] + (1 - share) * ROWS[before[number]]
        np.testing.assert_allclose(label, expected, atol=1e-5)
        values = np.unique(image.round(4))
        if not mixup:
            assert set(values) <= {number, before[number]}
        elif not cutmix:
            assert len(values) == 1
    again = np.asarray(MixedImages(mixup, cutmix, seed=1)(IMAGES, ROWS)[0])
    np.testing.assert_array_equal(again, images.astype(np.float32))


def test_what_cutmix_pastes_is_one_rectangle() -> None:
    images = np.asarray(MixedImages(0.0, 1.0, seed=3)(IMAGES, ROWS)[0])
    sizes = set()
    for number, image in enumerate(images[..., 0]):
        pasted = image != number
        rows, columns = pasted.any(axis=1), pasted.any(axis=0)
        assert np.array_equal(pasted, rows[:, None] & columns[None])
        assert (np.diff(np.flatnonzero(rows)) == 1).all()
        assert (np.diff(np.flatnonzero(columns)) == 1).all()
        sizes.add((rows.sum(), columns.sum()))
    assert len(sizes) > 4


def model(changes: Augmentation | None, smoothing: float) -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((10, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    network = keras.Model(pixels, keras.layers.Dense(CLASSES, activation="softmax")(x))
    made = SoftLabelModel(network, changes, smoothing=smoothing, seed=5)
    compile_network(keras, made, WITHOUT_STEPS)
    return network, made


@pytest.mark.parametrize("weights", [None, {0: 2.0, 1: 0.5, 2: 1.0, 3: 1.0}])
def test_only_the_loss_of_the_training_is_smoothed(weights: dict[int, float] | None) -> None:
    network, made = model(None, 0.2)
    history = made.fit(
        IMAGES, NUMBERS, batch_size=COUNT, class_weight=weights, validation_data=(IMAGES, NUMBERS), verbose=0
    ).history
    logs = np.log(np.asarray(network(IMAGES), np.float64))
    own = -logs[np.arange(COUNT), NUMBERS]
    by_hand = 0.8 * own + 0.2 * -logs.mean(axis=1)
    factors = np.ones(COUNT) if weights is None else np.array([weights[number] for number in NUMBERS])
    assert history["loss"][0] == pytest.approx((factors * by_hand).mean(), rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(own.mean(), rel=1e-5)
    right = (logs.argmax(axis=1) == NUMBERS).mean()
    assert history["accuracy"][0] == history["val_accuracy"][0] == pytest.approx(right)


def test_weights_of_classes_count_by_share() -> None:
    """Where one class has no weight, an image that is mixed with it counts by what is left of it."""
    changes = Augmentation(mixup=0.4)
    network, made = model(changes, 0.0)
    logs = made.fit(
        IMAGES, NUMBERS, batch_size=COUNT, shuffle=False, class_weight={0: 0.0, 1: 1.0, 2: 1.0, 3: 1.0}, verbose=0
    ).history
    images, shares = MixedImages(0.4, 0.0, seed=5 + 7)(IMAGES, ROWS * (NUMBERS != 0)[:, None])
    expected = -(np.asarray(shares) * np.log(np.asarray(network(images)))).sum(axis=1).mean()
    assert logs["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_all_random_numbers_are_variables() -> None:
    """So a checkpoint, which holds `model.variables`, holds them."""
    changes = Augmentation.of(
        "rotation=0.1,rand-augment=0.3,contrast=0.1,brightness=0.1,blur=1,noise=0.1,erasing=0.1,mixup=1"
    )
    network, made = model(changes, 0.1)
    assert len(made.variables) == len(network.variables) + 8
    assert [id(weight) for weight in made.trainable_weights] == [id(weight) for weight in network.trainable_weights]
