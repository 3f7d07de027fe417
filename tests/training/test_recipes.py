"""Every recipe, as the registry has it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_training.recipe import Recipe, register
from edgecnn_training.recipes import get_recipe, list_recipes

RECIPES = list_recipes()

# Printed by the notebooks, and counted for those that print none.
PARAMETERS = {"mnist": 1_199_882}

# The summary that the notebook "CNN in Keras, MNIST" prints (seed 3, step 4).
MNIST_LAYERS = [
    ("Conv2D", (None, 26, 26, 32), 320),
    ("Conv2D", (None, 24, 24, 64), 18_496),
    ("MaxPooling2D", (None, 12, 12, 64), 0),
    ("Dropout", (None, 12, 12, 64), 0),
    ("Flatten", (None, 9216), 0),
    ("Dense", (None, 128), 1_179_776),
    ("Dropout", (None, 128), 0),
    ("Dense", (None, 10), 1_290),
]

# Builds each recipe under tf_keras, in a process of its own, as the model-optimization toolkit needs it.
UNDER_TF_KERAS = """
import json, warnings
warnings.simplefilter("ignore")
import tf_keras
from edgecnn_training.network import build_network
from edgecnn_training.recipes import list_recipes
print(json.dumps({
    recipe.name: [
        [list(weight.shape) for weight in model.get_weights()], model.input_names, model.output_names
    ]
    for recipe in list_recipes()
    for model in [build_network(tf_keras, recipe, 10)]
}))
"""


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_network_has_the_documented_parameters(recipe: Recipe) -> None:
    import keras

    core = recipe.build(keras, 10)
    assert core.count_params() == PARAMETERS[recipe.name]
    assert core.input_shape == (None, *recipe.input_shape)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_whole_network_takes_pixels_and_gives_probabilities(recipe: Recipe) -> None:
    import keras

    from edgecnn_training.network import build_network

    model = build_network(keras, recipe, 7)
    assert [tensor.name for tensor in model.inputs] == ["pixels"]
    assert model.output_names == ["probabilities"]
    assert not [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Lambda)]

    pixels = np.random.default_rng(0).integers(0, 256, (3, *recipe.input_shape), np.uint8)
    probabilities = np.asarray(model(pixels))
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # The scaling is inside: the recipe's own network gives the same for pixels in 0…1.
    core = next(layer for layer in model.layers if layer.name == "core")
    np.testing.assert_allclose(probabilities, core(pixels.astype(np.float32) / 255), atol=1e-5)


def test_mnist_is_layer_by_layer_the_notebooks_network() -> None:
    import keras

    layers = get_recipe("mnist").build(keras, 10).layers
    table = [(type(layer).__name__, tuple(layer.output.shape), layer.count_params()) for layer in layers]
    assert table == MNIST_LAYERS
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.5]
    activations = [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")]
    assert activations == ["relu", "relu", "relu", "softmax"]


def test_the_same_functions_build_under_tf_keras() -> None:
    import keras

    from edgecnn_training.network import build_network

    done = subprocess.run(
        [sys.executable, "-c", UNDER_TF_KERAS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
    )
    built = json.loads(done.stdout.splitlines()[-1])
    for recipe in RECIPES:
        weights = [list(weight.shape) for weight in build_network(keras, recipe, 10).get_weights()]
        assert built[recipe.name] == [weights, ["pixels"], ["probabilities"]]


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"recipe: one of mnist.* expected, got 'minst'"):
        get_recipe("minst")


def test_a_name_is_taken_once() -> None:
    mnist = get_recipe("mnist")
    with pytest.raises(ValueError, match="not taken"):
        register(name="mnist", summary="", data="mnist", input_shape=(28, 28, 1), settings=mnist.settings)(mnist.build)


def test_listing_loads_no_framework() -> None:
    program = "import sys, edgecnn_training.recipes, edgecnn_training.resume; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
