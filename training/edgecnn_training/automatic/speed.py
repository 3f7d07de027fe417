"""How fast this machine trains a recipe: a few steps on noise."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from edgecnn_runtime.errors import InputError
from edgecnn_training.automatic.plan import TRANSFER, Speed
from edgecnn_training.devices.devices import inference
from edgecnn_training.fit import compile_network
from edgecnn_training.networks.frozen_base import split_at_base
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.pretrained import load_base_weights
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import IMAGENET, NO_WEIGHTS
from edgecnn_training.stage_data import predict_batch

_ROUNDS = 4
# A size that every base takes.
_PROBED = (96, 96, 3)


def measure_speed(recipe_name: str, shape: tuple[int, int, int], *, classes: int) -> Speed:
    """Measure the median of a few training steps, and of a frozen base, with random weights.

    Args:
        recipe_name: of a recipe.
        shape: of the images, (height, width, channels).
        classes: how many.
    """
    recipe = get_recipe(recipe_name)
    network = build_network(keras, recipe, classes, shape=shape)
    size, image = recipe.settings.batch_size, 0.0
    model, inputs = network, np.zeros((size, *shape), np.uint8)
    if recipe.base is not None:
        extractor, model = split_at_base(keras, network)
        forward, images = inference(extractor), np.zeros((predict_batch(shape), *shape), np.uint8)
        image = _median(lambda: forward(images)) / len(images)
        inputs = np.zeros((size, *model.input_shape[1:]), np.float32)
    compile_network(keras, model, recipe.settings)
    labels: Any = np.zeros(size, np.int64)
    return Speed(step=_median(lambda: model.train_on_batch(inputs, labels)), image=image)


def missing_base(weights: str | None) -> str | None:
    """Say why the recipe `transfer` cannot have the weights of its base; None where it can.

    Args:
        weights: as the user named them; None for those of the recipe.
    """
    recipe = get_recipe(TRANSFER)
    weights = weights or recipe.settings.weights
    if weights == NO_WEIGHTS:
        return "it would have random weights"
    network = build_network(keras, recipe, 2, shape=_PROBED)
    try:
        load_base_weights(network, recipe, weights)
    except InputError:
        if weights != IMAGENET:
            raise
        return f"{recipe.base}'s ImageNet weights are not at hand ('edgecnn train transfer' says where to put them)"
    return None


def _median(call: Callable[[], object]) -> float:
    call()  # the first one compiles
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
