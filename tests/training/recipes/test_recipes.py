"""Every recipe, as the registry has it."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.network_size import NetworkSize, size_of
from edgecnn_training.recipe import Recipe
from edgecnn_training.recipes import RECIPES, get_recipe, list_recipes

every_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)

# Classes of the documented data set, all parameters, those that are trained. Printed by the notebooks, counted by
# hand for chinese-mnist, casting-binary and those on small-cnn; 78,666 for ResNet-8 is that of MLPerf Tiny's
# reference model.
DOCUMENTED = {
    "casting": (2, 4_394_786, 4_394_786),
    "casting-augmented": (2, 4_394_786, 4_394_786),
    "casting-binary": (2, 4_394_561, 4_394_561),
    "casting-mobilenetv2": (2, 2_260_546, 2_562),
    "casting-plus": (2, 98_130, 97_650),
    "chinese-mnist": (15, 252_895, 252_895),
    "chinese-mnist-plus": (15, 99_807, 99_327),
    "mnist": (10, 1_199_882, 1_199_882),
    "mnist-plus": (10, 99_162, 98_682),
    "resnet8": (10, 78_666, 78_186),
    "signs": (6, 1_310, 1_310),
    "signs-plus": (6, 98_934, 98_454),
    "small-cnn": (10, 99_450, 98_970),
    "symbols": (3, 588_067, 588_067),
    "symbols-plus": (3, 98_259, 97_779),
    "symbols-vgg16": (3, 14_716_227, 1_539),
    "transfer": (10, 2_270_794, 12_810),
}

# For one image, at the input and the classes above: mnist and signs by hand; VGG16 without its dense layers 15.3 G and
# MobileNetV2 300 M in their papers' tables (arXiv:1409.1556, arXiv:1801.04381); ResNet-8 12.5 M in MLPerf Tiny's.
MULTIPLY_ACCUMULATES = {
    "mnist": 26 * 26 * 32 * 9 + 24 * 24 * 64 * 288 + 9216 * 128 + 128 * 10,
    "signs": 64 * 64 * 8 * 48 + 8 * 8 * 16 * 32 + 64 * 6,
    "symbols-vgg16": 15.35e9,
    "casting-mobilenetv2": 300e6,
    "resnet8": 12.5e6,
}

# At other widths, by the name of the recipe: classes and all parameters. MobileNetV2 0.35, MobileNet 0.25
# and MobileNetV3Small 0.75 have 410,208, 218,544 and 583,160 in Keras without their tops, with a dense layer on 1280,
# 256 and 432 features; small-cnn and resnet8 by hand.
WIDTHS = {
    "small-cnn@0.5": (10, 216 + 1_152 + 4_608 + 18_432 + 4 * 120 + 650),
    "mnist-plus@0.25": (10, 36 + 288 + 1_152 + 4_608 + 4 * 60 + 330),
    "resnet8@0.5": (10, 20_266),
    "transfer@0.35": (3, 410_208 + 3_843),
    "transfer:MobileNet@0.25": (3, 218_544 + 771),
    "transfer:MobileNetV3Small@0.75": (3, 583_160 + 1_299),
}

CASTING_LAYERS = [
    ("Conv2D", (None, 298, 298, 8), 224),
    ("MaxPooling2D", (None, 149, 149, 8), 0),
    ("Conv2D", (None, 147, 147, 16), 1_168),
    ("MaxPooling2D", (None, 73, 73, 16), 0),
    ("Conv2D", (None, 71, 71, 16), 2_320),
    ("MaxPooling2D", (None, 35, 35, 16), 0),
    ("Flatten", (None, 19_600), 0),
    ("Dense", (None, 224), 4_390_624),
    ("Activation", (None, 224), 0),
    ("Dense", (None, 2), 450),
]

# The summaries that the notebooks print, without the input. The scaling of "Casting defects" is in front of the
# network here, and its resizing in the pre-processing.
PRINTED = {
    "mnist": [
        ("Conv2D", (None, 26, 26, 32), 320),
        ("Conv2D", (None, 24, 24, 64), 18_496),
        ("MaxPooling2D", (None, 12, 12, 64), 0),
        ("Dropout", (None, 12, 12, 64), 0),
        ("Flatten", (None, 9216), 0),
        ("Dense", (None, 128), 1_179_776),
        ("Dropout", (None, 128), 0),
        ("Dense", (None, 10), 1_290),
    ],
    "signs": [
        ("Conv2D", (None, 64, 64, 8), 392),
        ("ReLU", (None, 64, 64, 8), 0),
        ("MaxPooling2D", (None, 8, 8, 8), 0),
        ("Conv2D", (None, 8, 8, 16), 528),
        ("ReLU", (None, 8, 8, 16), 0),
        ("MaxPooling2D", (None, 2, 2, 16), 0),
        ("Flatten", (None, 64), 0),
        ("Dense", (None, 6), 390),
    ],
    "casting": CASTING_LAYERS,
    "casting-augmented": CASTING_LAYERS,
    "casting-mobilenetv2": [
        ("Functional", (None, 7, 7, 1280), 2_257_984),
        ("GlobalAveragePooling2D", (None, 1280), 0),
        ("Dropout", (None, 1280), 0),
        ("Dense", (None, 2), 2_562),
    ],
    "symbols": [
        ("ZeroPadding2D", (None, 226, 226, 3), 0),
        ("Conv2D", (None, 224, 224, 32), 896),
        ("ZeroPadding2D", (None, 226, 226, 32), 0),
        ("Conv2D", (None, 224, 224, 32), 9_248),
        ("MaxPooling2D", (None, 112, 112, 32), 0),
        ("ZeroPadding2D", (None, 114, 114, 32), 0),
        ("Conv2D", (None, 112, 112, 64), 18_496),
        ("ZeroPadding2D", (None, 114, 114, 64), 0),
        ("Conv2D", (None, 112, 112, 64), 36_928),
        ("MaxPooling2D", (None, 56, 56, 64), 0),
        ("ZeroPadding2D", (None, 58, 58, 64), 0),
        ("Conv2D", (None, 56, 56, 128), 73_856),
        ("ZeroPadding2D", (None, 58, 58, 128), 0),
        ("Conv2D", (None, 56, 56, 128), 147_584),
        ("MaxPooling2D", (None, 28, 28, 128), 0),
        ("Flatten", (None, 100_352), 0),
        ("Dense", (None, 3), 301_059),
    ],
    "symbols-vgg16": [("Functional", (None, 512), 14_714_688), ("Dense", (None, 3), 1_539)],
}

# Builds each recipe under tf_keras, in a process of its own, as the model-optimization toolkit needs it.
UNDER_TF_KERAS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tf_keras
from edgecnn_training.networks.network import build_network
from edgecnn_training.recipes import get_recipe
print(json.dumps({
    name: [[list(weight.shape) for weight in model.weights], model.input_names, model.output_names]
    for name, classes in json.loads(sys.argv[1]).items()
    for model in [build_network(tf_keras, get_recipe(name), classes)]
}))
"""


def built(recipe: Recipe) -> Any:
    import keras

    from edgecnn_training.networks.network import build_network

    return build_network(keras, recipe, DOCUMENTED[recipe.name][0])


def parameters(weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


@every_recipe
def test_the_network_has_the_documented_parameters(recipe: Recipe) -> None:
    model, size = built(recipe), size_of(built(recipe))
    assert (model.get_layer("core").output_shape[-1], size.parameters, size.trainable) == (
        1 if recipe.name == "casting-binary" else DOCUMENTED[recipe.name][0],
        *DOCUMENTED[recipe.name][1:],
    )
    assert model.input_shape == (None, *recipe.input_shape)


@pytest.mark.parametrize("name", WIDTHS)
def test_a_width_has_its_parameters(name: str) -> None:
    import keras

    from edgecnn_training.networks.network import build_network

    classes, expected = WIDTHS[name]
    recipe = get_recipe(name)
    assert recipe.name == name
    assert size_of(build_network(keras, recipe, classes)).parameters == expected


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("small-cnn@1", "small-cnn"),
        ("small-cnn@1.0", "small-cnn"),
        ("small-cnn@0.50", "small-cnn@0.5"),
        ("small-cnn@.5", "small-cnn@0.5"),
        ("transfer:MobileNetV2@0.35", "transfer:MobileNetV2@0.35"),
    ],
)
def test_a_width_has_one_name(name: str, same: str) -> None:
    assert get_recipe(name).name == same


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist@0.5", r"alpha: expected a recipe of several widths \(small-cnn, .*, got mnist; leave --alpha"),
        ("transfer:ResNet50@0.5", r"of --backbone the MobileNets\), got transfer:ResNet50"),
        ("small-cnn@", "alpha: expected a number behind @ as in small-cnn@0.5, got ''"),
        ("small-cnn@half", "got 'half'"),
        ("small-cnn@0.5@0.5", "got '0.5@0.5'"),
        ("small-cnn@0", "alpha: expected 0.05…10, got 0"),
        ("small-cnn@1000", "alpha: expected 0.05…10, got 1000"),
        ("smal-cnn@0.5", "recipe: expected one of .*, got 'smal-cnn'; did you mean small-cnn"),
    ],
)
def test_a_width_that_is_none(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        get_recipe(name)


@pytest.mark.parametrize("name", MULTIPLY_ACCUMULATES)
def test_the_network_has_the_published_multiply_accumulates(name: str) -> None:
    counted = size_of(built(get_recipe(name))).multiply_accumulates
    assert counted == pytest.approx(MULTIPLY_ACCUMULATES[name], rel=0.005)


def test_the_multiply_accumulates_of_a_small_network_are_those_counted_by_hand() -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),  # 6 x 6 x 4 values, each a sum over 3 x 3 x 3
            layers.DepthwiseConv2D(3, strides=2, padding="same"),  # 3 x 3 x 4, each over 3 x 3
            layers.BatchNormalization(),
            keras.Sequential([keras.Input((3, 3, 4)), layers.Conv2D(8, 1, groups=2)]),  # 3 x 3 x 8, each over 2
            layers.GlobalAveragePooling2D(),
            layers.Dense(5),
        ]
    )
    counted = 36 * 4 * 27 + 9 * 4 * 9 + 9 * 8 * 2 + 8 * 5
    assert size_of(model) == NetworkSize(112 + 40 + 16 + 24 + 45, 112 + 40 + 8 + 24 + 45, counted)


def test_a_layer_that_cannot_be_counted_is_named() -> None:
    import keras

    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2DTranspose(2, 3, name="up")])
    with pytest.raises(ValueError, match="up: expected a dense layer or a convolution, got Conv2DTranspose"):
        size_of(model)


@pytest.mark.parametrize("name", PRINTED)
def test_the_layers_are_those_that_the_notebook_prints(name: str) -> None:
    import keras

    recipe = get_recipe(name)
    layers = recipe.build(keras, recipe.input_shape, DOCUMENTED[name][0]).layers
    table = [
        (type(layer).__name__, tuple(layer.output.shape), layer.count_params())
        for layer in layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    assert table == PRINTED[name]


@every_recipe
def test_pixels_go_in_and_probabilities_come_out(recipe: Recipe, tmp_path: Any) -> None:
    import keras

    model, classes = built(recipe), DOCUMENTED[recipe.name][0]
    assert [tensor.name for tensor in model.inputs] == ["pixels"]
    assert model.output_names == ["probabilities"]

    pixels = np.random.default_rng(0).integers(0, 256, (2, *recipe.input_shape), np.uint8)
    probabilities = np.asarray(model(pixels))
    assert probabilities.shape == (2, classes)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)

    model.save(tmp_path / "model.keras")
    # Without this package: nothing but layers of Keras in it, and no code.
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert {type(layer).__module__.partition(".")[0] for layer in loaded._flatten_layers()} == {"keras"}
    assert not [layer for layer in loaded._flatten_layers() if isinstance(layer, keras.layers.Lambda)]
    np.testing.assert_allclose(np.asarray(loaded(pixels)), probabilities, atol=1e-6)


def test_the_same_functions_build_under_tf_keras() -> None:
    names = {**{name: row[0] for name, row in DOCUMENTED.items()}, **{name: row[0] for name, row in WIDTHS.items()}}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_TF_KERAS, json.dumps(names)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
    )
    there = json.loads(done.stdout.splitlines()[-1])
    import keras

    from edgecnn_training.networks.network import build_network

    for name, classes in names.items():
        # In this order, because the weights are copied over one by one.
        weights = [list(weight.shape) for weight in build_network(keras, get_recipe(name), classes).weights]
        assert there[name] == [weights, ["pixels"], ["probabilities"]], name


def test_mnist_has_the_notebooks_dropout_and_activations() -> None:
    import keras

    layers = get_recipe("mnist").build(keras, (28, 28, 1), 10).layers
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.5]
    activations = [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")]
    assert activations == ["relu", "relu", "relu", "softmax"]


def test_one_sigmoid_unit_is_trained_with_the_binary_cross_entropy() -> None:
    """The loss of [1 - p, p] by class number is that of p."""
    import keras

    model = built(get_recipe("casting-binary"))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 300, 300, 3), np.uint8)
    numbers = np.array([0, 1, 1, 0])
    probabilities = model(pixels)
    categorical = keras.losses.SparseCategoricalCrossentropy()(numbers, probabilities)
    binary = keras.losses.BinaryCrossentropy()(numbers.astype("float32"), probabilities[:, 1])
    assert float(categorical) == pytest.approx(float(binary), rel=1e-5)


def test_one_sigmoid_unit_knows_two_classes() -> None:
    import keras

    with pytest.raises(InputError, match="casting-binary: expected two classes, got 3"):
        get_recipe("casting-binary").build(keras, (300, 300, 3), 3)


@pytest.mark.parametrize("name", [recipe.name for recipe in RECIPES.values() if recipe.any_size])
@pytest.mark.parametrize("side", [32, 75])
def test_networks_for_any_size(name: str, side: int) -> None:
    import keras

    from edgecnn_training.networks.network import build_network

    recipe = get_recipe(name)
    model = build_network(keras, recipe, 3, shape=(side, side, 3))
    assert np.asarray(model(np.zeros((1, side, side, 3), np.uint8))).shape == (1, 3)
    # As many parameters at any size.
    assert parameters(model.weights) == parameters(build_network(keras, recipe, 3).weights)


def test_documented_recipes_are_all_and_no_others() -> None:
    assert set(RECIPES) == set(DOCUMENTED)
    assert [recipe.name for recipe in RECIPES.values()] == list(RECIPES)
    assert {name: recipe.classes for name, recipe in RECIPES.items()} == {
        name: classes for name, (classes, *_) in DOCUMENTED.items()
    }


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("mnist*", ["mnist-plus", "mnist"]),
        ("*-plus", [f"{name}-plus" for name in ("mnist", "signs", "chinese-mnist", "casting", "symbols")]),
        ("signs", ["signs"]),
    ],
)
def test_recipes_are_listed_by_a_pattern(pattern: str, names: list[str]) -> None:
    assert [recipe.name for recipe in list_recipes(pattern)] == names


def test_those_for_the_users_images_are_listed_first() -> None:
    everything = list_recipes()
    assert [recipe.name for recipe in everything[:3]] == ["small-cnn", "resnet8", "transfer"]
    assert {recipe.data for recipe in everything[:3]} == {None}
    assert None not in {recipe.data for recipe in everything[3:]}


def test_a_pattern_that_matches_none_is_answered_with_the_names() -> None:
    with pytest.raises(InputError, match=r"recipe: expected one of small-cnn, .*, got 'minst\*'; did you mean mnist\?"):
        list_recipes("minst*")


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"recipe: expected one of .*, mnist, .*, got 'minst'"):
        get_recipe("minst")


def test_a_base_is_told_by_the_name() -> None:
    recipe = get_recipe("transfer:ResNet50")
    assert (recipe.base, recipe.scaling) == ("ResNet50", "caffe")
    with pytest.raises(InputError, match=r"backbone: expected one of VGG16, .*, got 'ResNet51'"):
        get_recipe("transfer:ResNet51")


def test_listing_loads_no_framework() -> None:
    program = (
        "import sys, edgecnn_training.recipes, edgecnn_training.config, edgecnn_training.resuming.resume; "
        "print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
