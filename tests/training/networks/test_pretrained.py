"""Weights of a base: from a file, found in $EDGECNN_DATA, or missing with a word about which and where."""

import dataclasses
import urllib.error
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.frozen_base import base_of, frozen_base
from edgecnn_training.networks.network import build_network, core
from edgecnn_training.networks.pretrained import load_base_weights
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.recipes import get_recipe

SIDE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)


def on_vgg16(keras: Any, shape: Shape, classes: int) -> Any:
    scaled = keras.Input(shape)
    features = frozen_base(keras, "VGG16", shape, pooling="avg")(scaled, training=False)
    return keras.Model(scaled, keras.layers.Dense(classes, activation="softmax")(features), name="core")


VGG16 = dataclasses.replace(get_recipe("symbols-vgg16"), input_shape=(SIDE, SIDE, 3), build=on_vgg16)


@pytest.fixture(scope="module")
def vgg16_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A file of weights as Keras names its own, and the features that they give with Keras's pre-processing."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg")
    path = tmp_path_factory.mktemp("weights") / "vgg16_weights_notop.weights.h5"
    base.save_weights(path)
    return path, np.asarray(base(keras.applications.vgg16.preprocess_input(PIXELS.astype(np.float32))))


def features(network: Any) -> np.ndarray:
    return np.asarray(base_of(keras, core(network))(network.get_layer("scaling")(PIXELS)))


def test_a_base_trained_on_bgr_takes_rgb(vgg16_weights: tuple[Path, np.ndarray]) -> None:
    path, expected = vgg16_weights
    network = build_network(keras, VGG16, 3)
    load_base_weights(network, VGG16, str(path))
    np.testing.assert_allclose(features(network), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_imagenet_weights_are_found_in_the_data_folder(
    vgg16_weights: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = vgg16_weights
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / path.name).symlink_to(path)
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    network = build_network(keras, VGG16, 3)
    load_base_weights(network, VGG16, "imagenet")
    np.testing.assert_allclose(features(network), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_none_leaves_the_random_weights() -> None:
    network = build_network(keras, VGG16, 3)
    before = network.get_weights()
    load_base_weights(network, VGG16, "none")
    assert all(np.array_equal(one, other) for one, other in zip(before, network.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("recipe", "file"),
    [
        (VGG16, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        (get_recipe("transfer:MobileNetV2"), "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_weights_that_cannot_be_had_are_named(
    recipe: Recipe, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", offline)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path), raising=False)
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    with pytest.raises(InputError, match=rf"{file} is neither cached .* put that file into .*/models, or give"):
        load_base_weights(build_network(keras, recipe, 3), recipe, "imagenet")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no/such\.h5: not found; expected a file of Keras weights for vgg16"):
        load_base_weights(build_network(keras, VGG16, 3), VGG16, "no/such.h5")


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match=r"other\.weights\.h5: expected Keras weights for vgg16 .*, got others"):
        load_base_weights(build_network(keras, VGG16, 3), VGG16, str(tmp_path / "other.weights.h5"))
