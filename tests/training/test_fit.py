"""What compiling makes of the settings: optimizers, weight decay, averaged weights."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from edgecnn_training.fit import compile_network, swap_averages
from edgecnn_training.settings import USUAL_LEARNING_RATES, Optimizer, TrainingSettings

SETTINGS = TrainingSettings(epochs=3, batch_size=8, optimizer=Optimizer.SGD, learning_rate=0.1)
RANDOM = np.random.default_rng(0)
INPUTS, LABELS = RANDOM.normal(size=(8, 3)).astype(np.float32), np.arange(8) % 4


def network(settings: TrainingSettings) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(5, bias_initializer="ones"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(4, activation="softmax", bias_initializer="ones"),
        ]
    )
    compile_network(keras, model, settings)
    return model


@pytest.mark.parametrize("optimizer", Optimizer)
def test_weight_decay_takes_a_share_off_all_but_biases_and_batch_norm(optimizer: Optimizer) -> None:
    """Decoupled from the gradient: it takes off `rate * decay * weight` before the optimizer's own step."""
    rate = USUAL_LEARNING_RATES[optimizer]
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer, learning_rate=rate)
    plain, decayed = network(settings), network(dataclasses.replace(settings, weight_decay=0.125))
    first = [np.array(weight.numpy()) for weight in plain.trainable_weights]
    for model in (plain, decayed):
        model.train_on_batch(INPUTS, LABELS)
    for weight, one, other in zip(first, plain.trainable_weights, decayed.trainable_weights, strict=True):
        taken = rate * 0.125 * weight if weight.ndim > 1 else 0 * weight
        np.testing.assert_allclose(one.numpy() - other.numpy(), taken, atol=1e-6)


def test_averaged_weights_are_the_moving_average_of_the_steps() -> None:
    model = network(dataclasses.replace(SETTINGS, averaged_weights=True))
    by_hand: list[Any] = []
    for step in range(5):
        model.train_on_batch(INPUTS, LABELS)
        weights = [np.array(weight.numpy(), np.float64) for weight in model.trainable_weights]
        by_hand = weights if step == 0 else [0.99 * a + 0.01 * w for a, w in zip(by_hand, weights, strict=True)]
    swap_averages(model)
    for expected, got in zip(by_hand, model.trainable_weights, strict=True):
        np.testing.assert_allclose(got.numpy(), expected, atol=1e-6)
    swap_averages(model)
    for expected, got in zip(weights, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.astype(np.float32))
