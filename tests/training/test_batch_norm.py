"""The statistics of batch norm become those of the training images: against numpy, and where they must not change."""

import types
from typing import Any

import keras
import numpy as np
import pytest

from edgecnn_training.batch_norm import BatchNormStatistics
from edgecnn_training.batches import Batches

IMAGES = np.random.default_rng(0).normal(3, 2, (50, 6, 6, 2)).astype(np.float32)


def network(*, momentum: float = 0.99, frozen: bool = False) -> Any:
    """A batch norm on the images, and a second one on what the first gives."""
    keras.utils.set_random_seed(1)
    inner = keras.Sequential(
        [keras.Input((6, 6, 2)), keras.layers.BatchNormalization(momentum=momentum), keras.layers.Conv2D(3, 3)]
    )
    inner.trainable = not frozen
    pixels = keras.Input((6, 6, 2))
    x = keras.layers.BatchNormalization(momentum=momentum)(inner(pixels))
    return keras.Model(pixels, keras.layers.Dropout(0.5)(x))


def batches(size: int) -> Batches:
    split = types.SimpleNamespace(images=IMAGES, labels=np.zeros(len(IMAGES), np.int64))
    return Batches(split, np.arange(len(IMAGES)), batch_size=size, shuffle_seed=0)


def norms_of(model: Any) -> list[Any]:
    return [model.layers[1].layers[0], model.layers[2]]


@pytest.mark.parametrize("size", [50, 16])
def test_they_are_the_mean_and_the_variance_of_all_images(size: int) -> None:
    model = network()
    BatchNormStatistics(model).recompute(batches(size))
    first, second = norms_of(model)
    np.testing.assert_allclose(first.moving_mean, IMAGES.mean(axis=(0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(first.moving_variance, IMAGES.var(axis=(0, 1, 2)), rtol=1e-3)
    # The second sees what the first makes of each batch, so that it knows its numbers as well as the first does.
    seen = np.asarray(model.layers[1](IMAGES, training=False))
    allowed = 1e-3 if size == 50 else 0.05
    np.testing.assert_allclose(second.moving_mean, seen.mean(axis=(0, 1, 2)), atol=allowed)
    np.testing.assert_allclose(second.moving_variance, seen.var(axis=(0, 1, 2)), rtol=allowed)


def test_nothing_else_changes_and_training_goes_on_as_before() -> None:
    model = network(momentum=0.9)
    before = [weight.numpy() for weight in model.trainable_weights]
    statistics = BatchNormStatistics(model)
    statistics.recompute(batches(16))
    for weight, expected in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    first, _ = norms_of(model)
    assert first.momentum == 0.9
    # And anew, from other weights and statistics, it says the same as at first.
    found = first.moving_mean.numpy()
    first.moving_mean.assign(found + 7)
    statistics.recompute(batches(16))
    np.testing.assert_allclose(first.moving_mean, found, rtol=1e-6)


def test_a_frozen_base_keeps_its_own() -> None:
    model = network(frozen=True)
    first, second = norms_of(model)
    before = first.moving_mean.numpy(), first.moving_variance.numpy()
    BatchNormStatistics(model).recompute(batches(16))
    np.testing.assert_allclose(first.moving_mean, before[0], atol=1e-6)
    np.testing.assert_allclose(first.moving_variance, before[1], atol=1e-6)
    assert np.abs(second.moving_mean.numpy()).max() > 0.1
