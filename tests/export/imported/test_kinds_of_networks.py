"""Networks that people bring, in the containers they bring them in: imported and exported, they give what Keras gave.

The oracle is the answer of the model itself, before it is saved, for the same images one by one.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from numpy.typing import NDArray

from edgecnn_export.containers import CONTAINERS
from edgecnn_export.formats import FORMATS
from edgecnn_export.imported.import_model import ImportedModel, import_model
from edgecnn_export.imported.model_file import open_model
from edgecnn_export.imported.original_model import original_model
from edgecnn_export.imported.untrusted_config import check_config
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.proof.inference import infer_on_all_cores, opened
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.pixel_scaling import PixelScaling

SIDE = 12
LABELS = ("a", "b", "c")

Builder = Callable[[Any], Any]  # from the module keras or tf_keras to a model of pixels 0…255


def classifier(library: Any, image: Any, x: Any) -> Any:
    return library.Model(image, library.layers.Dense(3, activation="softmax")(x))


def rows_of_features(library: Any, *, steps: int = 3) -> tuple[Any, Any]:
    """An image, and behind a convolution a sequence of `steps` vectors."""
    image = library.Input((SIDE, SIDE, 3))
    x = library.layers.Rescaling(1 / 255)(image)
    x = library.layers.Conv2D(steps, 3, strides=2, activation="relu")(x)
    return image, library.layers.Reshape((steps, 25))(library.layers.Permute((3, 1, 2))(x))


def sequence(*kinds: Callable[[Any], Any]) -> Builder:
    """A network with these layers, each made by a function of the library, behind the sequence."""

    def build(library: Any) -> Any:
        image, x = rows_of_features(library)
        for kind in kinds:
            x = kind(library.layers)(x)
        return classifier(library, image, x)

    return build


def attention(library: Any) -> Any:
    image, x = rows_of_features(library)
    x = library.layers.Add()([x, library.layers.MultiHeadAttention(2, 4)(x, x)])
    x = library.layers.LayerNormalization()(x)
    return classifier(library, image, library.layers.GlobalAveragePooling1D()(x))


def stateful(library: Any) -> Any:
    shape = {"batch_shape": (1, SIDE, SIDE, 3)} if library is keras else {"shape": (SIDE, SIDE, 3), "batch_size": 1}
    image = library.Input(**shape)
    x = library.layers.Reshape((SIDE // 4, SIDE * 12))(library.layers.Rescaling(1 / 255)(image))
    return classifier(library, image, library.layers.LSTM(4, stateful=True)(x))


def reversed_channels(library: Any) -> Any:
    """What `vgg16.preprocess_input` does inside a model, with other cuts of the image behind it."""
    image = library.Input((SIDE, SIDE, 3))
    x = (image[..., ::-1] - np.array([103.9, 116.8, 123.7], np.float32)) / 100.0
    x = library.layers.Concatenate()([x[:, ::2, 1::2, :], x[:, 1::2, ::2, 0:2]])
    return classifier(library, image, library.layers.Flatten()(x[:, ::-1]))


def dilated(library: Any) -> Any:
    layers = library.layers
    image = library.Input((SIDE + 1, SIDE - 1, 3))
    x = layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.DepthwiseConv2D(3, dilation_rate=(3, 3), padding="same", depth_multiplier=2)(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, dilation_rate=2)(x))
    return classifier(library, image, layers.Flatten()(x))


def normalized(library: Any) -> Any:
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, activation="gelu")(layers.Rescaling(1 / 255)(image))
    x = layers.LayerNormalization(axis=[1, 2, 3])(layers.LayerNormalization()(x))
    x = layers.Activation("swish")(layers.GroupNormalization(2)(x))
    return classifier(library, image, layers.Flatten()(x))


def resized(library: Any) -> Any:
    layers = library.layers
    image = library.Input((20, 16, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.Resizing(SIDE, SIDE)(image))
    x = layers.UpSampling2D(2)(layers.Conv2D(4, 3, strides=2)(x))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    return classifier(library, image, layers.GlobalAveragePooling2D()(x))


def without_channels(library: Any) -> Any:
    image = library.Input((SIDE, SIDE + 2))
    x = library.layers.Flatten()(library.layers.Rescaling(1 / 255)(image))
    return classifier(library, image, library.layers.Dense(8, activation="relu")(x))


def augmented(library: Any) -> Any:
    layers = library.layers
    image = library.Input((SIDE, SIDE, 3))
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(image))
    x = layers.Rescaling(1 / 255)(layers.CenterCrop(SIDE - 2, SIDE - 2)(x))
    x = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])(x)
    return classifier(library, image, layers.Flatten()(layers.GaussianNoise(0.1)(x)))


GRU = sequence(lambda layers: layers.GRU(4))
NETWORKS: dict[str, Builder] = {
    "GRU": GRU,
    "LSTM": sequence(lambda layers: layers.LSTM(4)),
    "SimpleRNN": sequence(lambda layers: layers.SimpleRNN(4)),
    "Bidirectional": sequence(lambda layers: layers.Bidirectional(layers.LSTM(4))),
    "return_sequences": sequence(
        lambda layers: layers.Masking(0.0),
        lambda layers: layers.TimeDistributed(layers.Dense(5, activation="relu")),
        lambda layers: layers.GRU(4, return_sequences=True, go_backwards=True, reset_after=False),
        lambda layers: layers.LSTM(4),
    ),
    "ConvLSTM2D": sequence(
        lambda layers: layers.Reshape((3, 5, 5, 1)),
        lambda layers: layers.ConvLSTM2D(2, 3),
        lambda layers: layers.Flatten(),
    ),
    "cells": sequence(lambda layers: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)])),
    "attention": attention,
    "dense over steps": sequence(lambda layers: layers.Dense(4, activation="relu"), lambda layers: layers.Flatten()),
    "stateful": stateful,
    "reversed channels": reversed_channels,
    "dilated": dilated,
    "normalized": normalized,
    "resized": resized,
    "without channels": without_channels,
    "augmented": augmented,
}


def built(library: Any, name: str) -> Any:
    library.utils.set_random_seed(1)
    network = NETWORKS[name](library)
    generator = np.random.default_rng(2)
    if name != "augmented":
        # As after training: no bias and no batch norm as it began.
        weights = [w if w.ndim > 1 else generator.uniform(0.5, 1.5, w.shape) for w in network.get_weights()]
        network.set_weights(weights)
    return network


def answers(network: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a model answers to each image, as if it was the first that it sees."""
    rows = []
    for number in range(len(images)):
        for layer in network.layers:
            for reset in ("reset_state", "reset_states"):
                if getattr(layer, "stateful", False) and hasattr(layer, reset):
                    getattr(layer, reset)()
        rows.append(np.asarray(network(images[number : number + 1].astype(np.float32), training=False)))
    found = np.concatenate(rows)
    # Otherwise all would agree on nothing.
    assert np.ptp(found, axis=0).max() > 0.002
    return found


def images_for(network: Any) -> NDArray[np.uint8]:
    shape = network.input_shape[1:]
    # Each with a colour of its own, so that networks that average tell them apart.
    generator = np.random.default_rng(3)
    return (generator.integers(0, 256, (6, *shape)) * generator.uniform(0.1, 1, (6, *[1] * len(shape)))).astype(
        np.uint8
    )


def saved(network: Any, folder: Path, container: str) -> Path:
    path = folder / f"model{container if container.startswith('.') else ''}"
    if container == "SavedModel" and hasattr(network, "export") and network.__module__.startswith("keras"):
        network.export(path, verbose=False)
    else:
        network.save(path)
    return path


def imported(path: Path, images: NDArray[np.uint8], *, imgsz: int | None = None) -> ImportedModel:
    original = original_model(
        open_model(path, imgsz=imgsz), path=path, labels=LABELS, scaling=PixelScaling(), imgsz=imgsz, fit=ImageFit()
    )
    return import_model(original, images)


def with_channels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images if images.ndim == 4 else images[..., np.newaxis]


QUICK = [
    ("reversed channels", keras, "SavedModel"),
    ("reversed channels", tf_keras, ".h5"),
    ("dilated", keras, "SavedModel"),
    ("normalized", keras, "SavedModel"),
    ("resized", keras, "SavedModel"),
    ("without channels", keras, ".keras"),
    ("stateful", keras, ".keras"),
    ("LSTM", keras, "SavedModel"),
]
# A random layer that is exported computes its random numbers on the device too, and is refused.
SLOW = [
    (name, library, container)
    for name in NETWORKS
    for library in (keras, tf_keras)
    for container in (".keras", ".h5", "SavedModel")
    if (name, library, container) not in QUICK and (name != "augmented" or (library, container) == (keras, ".keras"))
]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(
    ("name", "library", "container"), [*QUICK, *(pytest.param(*row, marks=pytest.mark.slow) for row in SLOW)]
)
def test_it_answers_as_it_did_before_it_was_saved(name: str, library: Any, container: str, tmp_path: Path) -> None:
    network = built(library, name)
    images = images_for(network)
    expected = answers(network, images)
    model = imported(saved(network, tmp_path, container), with_channels(images))
    np.testing.assert_allclose(model.predict(with_channels(images)), expected, atol=1e-5)
    # As a run holds it: whole in one file, of what Keras ships.
    model.network.save(tmp_path / "run.keras")
    reread = keras.saving.load_model(tmp_path / "run.keras")
    np.testing.assert_allclose(np.asarray(reread(with_channels(images).astype(np.float32))), expected, atol=1e-5)
    grey = name == "without channels"
    assert grey is any("its images are grey" in sentence for sentence in model.assumed)


# How far a probability may be from the float one's: floats differ in the order of sums.
FILES = {"tflite-float32": 1e-5, "tflite-int8": 0.06, "onnx-float32": 1e-5, "onnx-int8": 0.1}
ALL_FILES = FILES | {"tflite-float16": 5e-3, "tflite-dynamic": 2e-2, "tflite-int16x8": 5e-3, "onnx-float16": 5e-3}


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("GRU", FILES),
        ("dilated", {"tflite-int8": 0.06}),
        *(pytest.param(name, ALL_FILES, marks=pytest.mark.slow) for name in NETWORKS),
    ],
)
def test_its_files_open_and_answer_the_same(name: str, formats: dict[str, float], tmp_path: Path) -> None:
    network = built(keras, name)
    images = images_for(network)
    expected = answers(network, images)
    images = with_channels(images)
    # As it is loaded again from its run.
    imported(saved(network, tmp_path, ".keras"), images).network.save(tmp_path / "run.keras")
    reread = keras.saving.load_model(tmp_path / "run.keras")
    # Weights of 7 bits in ONNX: those of 8 saturate on CPUs without VNNI.
    conversions = {suffix: each.convert(reread, opset=17, reduce_range=True) for suffix, each in CONTAINERS.items()}
    for form, tolerance in formats.items():
        fmt = FORMATS[form]
        conversion = conversions[fmt.suffix]
        if fmt.needs_calibration:
            quantizer = conversion.quantizer(fmt)
            statistics = measure_statistics(quantizer.graph, images, CalibrationMethod.MINMAX)
            content = quantizer.file(statistics, quantizer.without_integer_form(statistics))
        else:
            content = conversion.file(fmt.scheme)
        with opened(content, fmt.suffix, images=images[:1]) as backend:
            np.testing.assert_allclose(infer_on_all_cores(backend, images), expected, atol=tolerance, err_msg=form)


def test_a_grey_network_for_any_size_takes_the_size_it_is_given(tmp_path: Path) -> None:
    image = keras.Input((None, SIDE))
    network = classifier(keras, image, keras.layers.GRU(4)(image))
    images = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1), np.uint8)
    path = saved(network, tmp_path, ".keras")
    with pytest.raises(InputError, match="expected the size of its images, as it takes any; add --imgsz"):
        imported(path, images)
    expected = np.asarray(network(images[..., 0].astype(np.float32)))
    np.testing.assert_allclose(imported(path, images, imgsz=SIDE).predict(images), expected, atol=1e-5)


def dense_network(library: Any) -> Any:
    layers = library.layers
    first = layers.InputLayer((SIDE, SIDE, 3)) if library is tf_keras else layers.Input((SIDE, SIDE, 3))
    return library.Sequential([first, layers.Flatten(), layers.Dense(3, activation="softmax")])


def optimized(kind: str) -> Any:
    import tensorflow_model_optimization as tfmot

    network = dense_network(tf_keras)
    if kind == "quantization-aware training":
        return tfmot.quantization.keras.quantize_model(network)
    if kind == "pruning":
        return tfmot.sparsity.keras.prune_low_magnitude(network)
    start = tfmot.clustering.keras.CentroidInitialization.LINEAR
    return tfmot.clustering.keras.cluster_weights(network, number_of_clusters=4, cluster_centroids_init=start)


INSTEAD = {
    "quantization-aware training": r"give the float model that quantize_model\(\) was called with; --qat",
    "pruning": r"save what tfmot\.sparsity\.keras\.strip_pruning\(model\) returns",
    "clustering": r"save what tfmot\.clustering\.keras\.strip_clustering\(model\) returns",
}


@pytest.mark.slow  # the toolkit takes its time
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("kind", INSTEAD)
def test_a_model_of_the_optimization_toolkit_is_told_what_to_give_instead(kind: str, tmp_path: Path) -> None:
    network = optimized(kind)
    for container in (".h5", ".keras", "SavedModel"):
        path = saved(network, tmp_path, container)
        if (kind, container) == ("pruning", "SavedModel"):
            # Its masks are in training only.
            pixels = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
            np.testing.assert_allclose(open_model(path)(pixels), network(pixels, training=False), atol=1e-6)
            continue
        with pytest.raises(
            ModelError, match=rf"{path.name}: expected a plain float model, .* {kind}.*; {INSTEAD[kind]}"
        ):
            open_model(path)


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("quantization-aware training", "QuantizeWrapperV2"),
        ("quantization-aware training", "QuantizeLayer"),
        ("pruning", "PruneLowMagnitude"),
        ("clustering", "ClusterWeights"),
    ],
)
def test_a_layer_of_the_optimization_toolkit_is_known_without_it(kind: str, layer: str) -> None:
    config = {"class_name": layer, "config": {"name": "wrapped", "layer": {"class_name": "Dense", "config": {}}}}
    with pytest.raises(ModelError, match=rf"m.h5: expected a plain float model, got 'wrapped' .*; {INSTEAD[kind]}"):
        check_config({"config": {"layers": [config]}}, Path("m.h5"))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_model_that_keras_has_quantized_is_told_what_to_give_instead(mode: str, tmp_path: Path) -> None:
    network = dense_network(keras)
    network.quantize(mode)
    for container in (".keras", ".h5"):
        path = saved(network, tmp_path, container)
        with pytest.raises(
            ModelError, match=r"got the layer 'dense.*' with weights that model\.quantize\(\) has rounded"
        ):
            open_model(path)


def test_a_quantized_policy_by_its_short_name_is_found_too(tmp_path: Path) -> None:
    path = saved(dense_network(keras), tmp_path, ".keras")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    config["config"]["layers"][-1]["config"]["dtype"] = "int8_from_float32"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match="expected a float model, got the layer 'dense"):
        open_model(path)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_what_is_refused_behind_keras_2_names_the_users_file(tmp_path: Path) -> None:
    import tensorflow as tf

    image = tf_keras.Input((SIDE, SIDE, 3))
    network = classifier(tf_keras, image, tf_keras.layers.Flatten()(tf.math.cumsum(image, axis=1)))
    path = saved(network, tmp_path, ".h5")
    with pytest.raises(ModelError) as caught:
        open_model(path)
    assert str(caught.value).startswith(f"{path}: expected operators of a convolutional classifier, got Cumsum in")
    assert "edgecnn-" not in str(caught.value)


def test_a_random_layer_in_a_saved_model_is_refused_by_its_operator(tmp_path: Path) -> None:
    path = saved(built(keras, "augmented"), tmp_path, "SavedModel")
    with pytest.raises(
        ModelError, match=r"got StatelessRandom\w+ in .*save the model without it, or as a \.keras file"
    ):
        open_model(path)
