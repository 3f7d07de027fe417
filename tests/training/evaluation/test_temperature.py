"""Temperature scaling against networks whose certainty is known."""

import keras
import numpy as np
import pytest

from edgecnn_training.evaluation.temperature import fit_temperature, temper, tempered
from edgecnn_training.networks.network import build_network
from edgecnn_training.recipes import get_recipe


def answers(*, overconfident: float, images: int = 4000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels from probabilities, and return these with their logits multiplied by `overconfident`."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (images, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([generator.choice(classes, p=row) for row in true])
    claimed = np.exp(logits * overconfident)
    return (claimed / claimed.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_what_is_too_certain_is_put_right(factor: float) -> None:
    probabilities, labels = answers(overconfident=factor)
    temperature = fit_temperature(probabilities, labels)
    assert temperature == pytest.approx(factor, rel=0.08)
    true, _ = answers(overconfident=1.0)
    np.testing.assert_allclose(tempered(probabilities, factor), true, atol=1e-5)


def test_what_is_not_certain_enough_stays_so() -> None:
    assert fit_temperature(*answers(overconfident=0.5)) == 1.0


def test_images_that_are_all_right_change_nothing() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]] * 10, np.float32)
    assert fit_temperature(probabilities, np.array([0, 1] * 10)) == 1.0


@pytest.mark.parametrize("recipe", ["small-cnn", "casting-binary"])
def test_the_weights_of_a_network_take_it_up(recipe: str) -> None:
    keras.utils.set_random_seed(0)
    shape = (16, 16, 3) if recipe == "small-cnn" else get_recipe(recipe).input_shape
    network = build_network(keras, get_recipe(recipe), 2, shape=shape)
    pixels = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype(np.float32)
    before = np.asarray(network(pixels))
    temper(network, 2.5)
    after = np.asarray(network(pixels))
    np.testing.assert_allclose(after, tempered(before, 2.5), atol=1e-5)
    assert not np.allclose(before, after)
