"""Models that were trained elsewhere: the imported one gives what the original script would."""

import itertools
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tiny_imported import BY_HAND, PIXELS, SIDE, original_network, probabilities_by_hand

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_export.imported.import_model import ImportedModel, import_model
from edgecnn_export.imported.model_file import open_model
from edgecnn_export.imported.original_model import original_model
from edgecnn_export.imported.pixel_scaling import scaling_of_function
from edgecnn_export.tflite.convert import export_tflite
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.labels import read_labels
from edgecnn_runtime.manifest import Resize, Scheme
from edgecnn_runtime.pixel_scaling import PixelScaling, named_scaling, scaling_of_options
from edgecnn_runtime.workstation.run_folder import RunFolder

CONTAINERS = (".keras", ".h5", "SavedModel", "tf_keras .h5", "tf_keras SavedModel")
HEADS = ("softmax", "logits", "sigmoid", "logit")


def save(network: Any, folder: Path, container: str) -> Path:
    path = folder / f"model{container.split()[-1] if '.' in container else ''}"
    if container == "SavedModel":
        network.export(path, verbose=False)
    else:
        network.save(path)
    return path


def imported(path: Path, *, labels: tuple[str, ...], output_is: str | None = None, **options: str) -> ImportedModel:
    original = original_model(
        open_model(path), path=path, labels=labels, scaling=scaling_of_options(**options), imgsz=None, fit=ImageFit()
    )
    return import_model(original, PIXELS, output_is=output_is)


# Each container with half of the heads, each head with half of the containers; the other pairs are slow.
PAIRS = sorted(
    itertools.product(enumerate(CONTAINERS), enumerate(HEADS)), key=lambda pair: (pair[0][0] + pair[1][0]) % 2
)
QUICK = len(PAIRS) // 2
# The pre-processings in turn, each of which comes up among the quick ones; then those that differ in front.
TABLE = [
    pytest.param(
        container, head, list(BY_HAND)[number % len(BY_HAND)], "conv", marks=() if number < QUICK else pytest.mark.slow
    )
    for number, ((_, container), (_, head)) in enumerate(PAIRS)
] + [
    (".keras", "softmax layer", "caffe", "padded conv"),
    ("SavedModel", "softmax layer", "caffe", "padded conv"),
    (".keras", "logits", "caffe", "batch norm"),
    (".keras", "softmax", "torch", "batch norm"),
]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("container", "head", "preprocess", "first"), TABLE)
def test_it_says_what_the_strangers_script_says(
    container: str, head: str, preprocess: str, first: str, tmp_path: Path
) -> None:
    if container.startswith("tf_keras"):
        import tf_keras as library
    else:
        library = keras
    options, by_hand = BY_HAND[preprocess]
    scaled = by_hand(PIXELS.astype(np.float64))
    network = original_network(library, head, first=first, scaled=scaled)
    path = save(network, tmp_path, container)
    expected = probabilities_by_hand(network, scaled, head)
    # Otherwise all would agree on nothing.
    assert np.ptp(expected, axis=0).max() > 0.1

    model = imported(path, labels=("a", "b", "c")[: expected.shape[1]], **options)
    np.testing.assert_allclose(model.predict(PIXELS), expected, atol=2e-5)

    # As a run holds it: whole in one file, of layers that Keras ships, fit for a device.
    run = RunFolder(tmp_path)
    model.network.save(run.model)
    reread = run.load_model(keras)
    assert reread.input.name == "pixels"
    assert reread.layers[-1].name == "probabilities"
    static = deployment_graph(reread, batch=1)
    np.testing.assert_allclose(np.asarray(static(PIXELS[:1].astype(np.float32))), expected[:1], atol=2e-5)


def test_the_first_kernel_is_turned_where_it_can_be(tmp_path: Path) -> None:
    for first, turned in (("conv", True), ("padded conv", True), ("batch norm", False)):
        path = save(original_network(keras, first=first), tmp_path, ".keras")
        model = imported(path, labels=("a", "b", "c"), preprocess="caffe")
        assert ("bgr" not in [layer.name for layer in model.network.layers]) is turned


def test_pixels_of_16_bit_precision_and_of_bytes_come_to_float32(tmp_path: Path) -> None:
    """A model trained in mixed precision whose input is uint8, with its own scaling."""
    image = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, dtype="mixed_float16")(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="mixed_float16")(x)
    network = keras.Model(image, keras.layers.Dense(3, activation="softmax", dtype="float32")(x))
    path = save(network, tmp_path, ".keras")
    model = imported(path, labels=("a", "b", "c"))
    assert model.network.input.dtype == "float32"
    assert {layer.compute_dtype for layer in model.network.get_layer("network").layers} == {"float32"}
    np.testing.assert_allclose(model.predict(PIXELS), np.asarray(network(PIXELS)), atol=2e-3)


@pytest.mark.parametrize("container", [".keras", "SavedModel"])
def test_a_network_for_any_size_takes_the_size_it_is_given(container: str, tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    path = save(keras.Model(image, keras.layers.Dense(3)(x)), tmp_path, container)
    with pytest.raises(InputError, match=r"expected the size of its images, as it takes any; add --imgsz"):
        imported(path, labels=("a", "b", "c"), scale="1/255")
    original = original_model(
        open_model(path, imgsz=SIDE),
        path=path,
        labels=("a", "b", "c"),
        scaling=PixelScaling(),
        imgsz=SIDE,
        fit=ImageFit(resize=Resize.CROP),
    )
    assert original.input.shape == (SIDE, SIDE, 3)
    assert import_model(original, PIXELS).network.output_shape == (None, 3)


class Halved(keras.layers.Layer):
    """A layer of a stranger's own."""

    def call(self, inputs: Any) -> Any:
        return inputs / 2


def with_layer(layer: Any) -> Any:
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(layer(image))
    return keras.Model(image, keras.layers.Dense(3)(x))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    path = save(with_layer(keras.layers.Lambda(lambda x: x / 2, name="half_it")), tmp_path, suffix)
    with pytest.raises(ModelError, match="expected layers without code of their own, got the Lambda layer 'half_it'"):
        open_model(path)
    path = save(with_layer(Halved(name="mine")), tmp_path, suffix)
    with pytest.raises(ModelError, match=r"'mine'|Halved"):
        open_model(path)


def test_a_class_of_the_authors_script_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Keras writes no module for what the script itself defines."""
    path = save(with_layer(Halved(name="mine")), tmp_path, ".keras")
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    text = files["config.json"].decode().replace(f'"module": "{Halved.__module__}"', '"module": null')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files | {"config.json": text.encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(
        ModelError, match=r"got 'mine', a Halved of its author, whose code is not in the file; .*SavedModel"
    ):
        open_model(path)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_what_is_checked_is_what_is_read(tmp_path: Path) -> None:
    """A file that is HDF5 at its beginning and a zip at its end, where a harmless configuration stands."""
    path = save(with_layer(keras.layers.Lambda(lambda x: x / 2, name="half_it")), tmp_path, ".h5")
    save(with_layer(keras.layers.ReLU()), tmp_path, ".keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as harmless, zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", harmless.read("config.json"))
    assert zipfile.is_zipfile(path)
    for name in ("model.h5", "model.keras", "model.KERAS"):
        path = path.replace(tmp_path / name)
        with pytest.raises(
            InputError, match=r"got the Lambda layer 'half_it'|whole Keras model|got \.KERAS; rename it"
        ):
            open_model(path)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_operations_that_reach_outside_are_refused_in_keras_2_files(tmp_path: Path) -> None:
    """What `tf.nn.relu(x)` leaves in a legacy file is fine; the same with another function behind it is not."""
    import h5py
    import tensorflow as tf
    import tf_keras

    image = tf_keras.Input((SIDE, SIDE, 3))
    x = tf_keras.layers.GlobalAveragePooling2D()(tf.nn.relu(tf_keras.layers.Conv2D(4, 3)(image)))
    network = tf_keras.Model(image, tf_keras.layers.Dense(3)(x))
    path = save(network, tmp_path, ".h5")
    expected = probabilities_by_hand(network, PIXELS / 255, "logits")
    np.testing.assert_allclose(
        imported(path, labels=("a", "b", "c"), scale="1/255").predict(PIXELS), expected, atol=1e-5
    )
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"nn.relu"', '"io.read_file"')
    with pytest.raises(ModelError, match=r"expected operations that only compute, got 'io\.read_file' in the layer"):
        open_model(path)


def evil(kind: str, target: Path) -> Any:
    import tensorflow as tf

    class Evil(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)])
        def served(self, pixels: Any) -> Any:
            outcome = tf.reduce_mean(pixels, axis=[1, 2])
            if kind == "ReadFile":
                outcome += tf.cast(tf.strings.length(tf.io.read_file(str(target))), tf.float32)
            elif kind == "WriteFile":
                # No output depends on it; a loader would still run it.
                tf.io.write_file(str(target), "was here")
            else:
                outcome = tf.ensure_shape(tf.numpy_function(lambda x: x, [outcome], tf.float32), (None, 3))
            return tf.nn.softmax(outcome)

    return Evil()


@pytest.mark.parametrize("kind", ["ReadFile", "WriteFile", "PyFunc"])
def test_a_saved_model_that_reaches_for_files_or_python_is_refused(kind: str, tmp_path: Path) -> None:
    import tensorflow as tf

    module = evil(kind, tmp_path / "target")
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.served)
    with pytest.raises(ModelError, match=rf"expected operators that only compute, got {kind} in .* do not run it"):
        open_model(tmp_path / "model")
    assert not (tmp_path / "target").exists()


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    class Turned(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.image.rgb_to_hsv(inputs)

    path = save(with_layer(Turned()), tmp_path, "SavedModel")
    with pytest.raises(ModelError, match="expected operators of a convolutional classifier, got RGBToHSV in"):
        open_model(path)


def test_a_saved_model_with_all_kinds_of_blocks(tmp_path: Path) -> None:
    """Those of MobileNet, ResNet, squeeze and excitation, DenseNet: depthwise, add, multiply, concatenate, groups."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    x = image = keras.Input((24, 24, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)))
    x = layers.Activation("hard_silu")(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
    x = layers.Add()([x, layers.Conv2D(8, 1, activation="silu")(x)])
    x = layers.MaxPooling2D(2)(layers.ZeroPadding2D(((0, 1), (2, 1)))(layers.Cropping2D(((1, 0), (0, 2)))(x)))
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, gate])
    x = layers.Concatenate()([x, layers.AveragePooling2D(3, 1, padding="same")(x)])
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(12, 3, groups=2, activation="leaky_relu")(x)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform")(layers.Conv2D(12, 1)(x))
    x = keras.ops.clip(layers.ReLU(4, negative_slope=0.1)(layers.Conv2D(12, 1)(x)), -0.3, 3)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    network = keras.Model(image, layers.Dense(4, activation="softmax")(layers.Dense(10, activation="elu")(x)))
    generator = np.random.default_rng(3)
    network.set_weights(
        [array if array.ndim > 1 else generator.uniform(0.5, 1.5, array.shape) for array in network.get_weights()]
    )
    images = generator.uniform(0, 255, (5, 24, 24, 3)).astype(np.float32)
    rebuilt = open_model(save(network, tmp_path, "SavedModel"))
    np.testing.assert_allclose(rebuilt(images), network(images, training=False), atol=1e-5)
    # Its batch norms stand in the graph as their arithmetic, and go into the convolutions where those are right before.
    kinds = [type(layer).__name__ for layer in rebuilt.layers]
    # One is behind the concatenation, one multiplies with the slopes of the PReLU.
    assert kinds.count("BatchNormalization") == 2

    # And nothing in it is sized at run time, which micro-controllers cannot do; the one slice is the cropping.
    interpreter = Interpreter(model_content=export_tflite(rebuilt, Scheme.FLOAT32))
    operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX"} <= set(operators)
    assert [name for name in operators if name in ("SHAPE", "STRIDED_SLICE", "PACK")] == ["STRIDED_SLICE"]


BAD = {
    "two inputs": (
        lambda: _model([(SIDE, SIDE, 3), (SIDE, SIDE, 3)]),
        r"one input of images .* got \(None, 12, 12, 3\),",
    ),
    "two channels": (
        lambda: _model([(SIDE, SIDE, 2)]),
        r"expected an input of 1 channel \(grey\) or 3 \(RGB\), the last axis",
    ),
    "four channels": (
        lambda: _model([(SIDE, SIDE, 4)]),
        r"expected an input of 1 channel \(grey\) or 3 \(RGB\), the last axis",
    ),
    "channels first": (lambda: _model([(3, SIDE, SIDE)]), r"channels first: convert the model to channels last"),
    "no images": (lambda: _model([(SIDE,)]), r"expected one input of images \(N, height, width, channels\)"),
    "feature maps": (
        lambda: _model([(SIDE, SIDE, 3)], pooled=False),
        r"\(N, classes\), that of a classification, .*add",
    ),
    "two outputs": (
        lambda: _model([(SIDE, SIDE, 3)], outputs=2),
        r"one output \(N, classes\), that of a classification",
    ),
    "four classes": (lambda: _model([(SIDE, SIDE, 3)], classes=4), r"labels: expected 4.* got 3 in --labels"),
}


def _model(shapes: list[tuple[int, ...]], *, pooled: bool = True, outputs: int = 1, classes: int = 3) -> Any:
    images = [keras.Input(shape) for shape in shapes]
    x = keras.layers.Add()(images) if len(images) > 1 else images[0]
    if pooled and len(shapes[0]) == 3:
        x = keras.layers.GlobalAveragePooling2D()(x)
    answers = [keras.layers.Dense(classes)(x) for _ in range(outputs)]
    return keras.Model(images, answers)


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_classifier_of_images_is_refused(case: str, tmp_path: Path) -> None:
    build, message = BAD[case]
    path = save(build(), tmp_path, ".keras")
    with pytest.raises(InputError, match=message):
        imported(path, labels=("a", "b", "c"), preprocess="none")


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    for name, content, message in (
        ("cut.keras", b"PK\x03\x04 cut short", "expected a whole Keras model, got a damaged file"),
        ("cut.h5", b"no HDF5", "expected a whole Keras model, got a damaged file"),
        ("model.pt", b"pickle", r"or a SavedModel folder, got \.pt"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            open_model(tmp_path / name)
    network = original_network(keras)
    network.save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelError, match="got weights alone; build the network"):
        open_model(tmp_path / "only.weights.h5")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"a SavedModel folder with saved_model\.pb"):
        open_model(tmp_path / "folder")
    (tmp_path / "folder/saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ModelError, match="expected a whole SavedModel"):
        open_model(tmp_path / "folder")
    with pytest.raises(InputError, match="not found; expected"):
        open_model(tmp_path / "nowhere.keras")


def test_what_comes_out_decides_where_the_last_layer_does_not() -> None:
    """Normalised by hand at the end: nothing but the values tells that they are probabilities."""
    image = keras.Input((SIDE, SIDE, 3))
    positive = keras.layers.Dense(3, activation="softplus")(keras.layers.GlobalAveragePooling2D()(image))
    total = keras.ops.sum(positive, axis=1, keepdims=True)
    for outcome, found in ((positive / total, "probabilities"), (positive - 100, "logits")):
        network = keras.Model(image, outcome)
        original = original_model(
            network, path=Path(__file__), labels=("a", "b", "c"), scaling=PixelScaling(), imgsz=None, fit=ImageFit()
        )
        assert import_model(original, PIXELS).answers == found
    # In 0…1 without summing up to 1: may be either.
    unclear = keras.Model(image, positive / (total + 1e6))
    original = original_model(
        unclear, path=Path(__file__), labels=("a", "b", "c"), scaling=PixelScaling(), imgsz=None, fit=ImageFit()
    )
    with pytest.raises(InputError, match="say --output-is logits or --output-is probabilities"):
        import_model(original, PIXELS)
    assert import_model(original, PIXELS, output_is="logits").answers == "logits"


def test_several_labels_an_image_are_refused_unless_asked_for(tmp_path: Path) -> None:
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(image)
    path = save(keras.Model(image, keras.layers.Dense(3, activation="sigmoid")(x)), tmp_path, ".keras")
    with pytest.raises(InputError, match="expected classes that exclude one another, got 3 sigmoid units"):
        imported(path, labels=("a", "b", "c"), scale="1/255")
    assert imported(path, labels=("a", "b", "c"), scale="1/255", output_is="probabilities").answers == "probabilities"


def test_the_scaling_has_to_be_said_unless_the_network_brings_it(tmp_path: Path) -> None:
    path = save(original_network(keras), tmp_path, ".keras")
    with pytest.raises(InputError, match=r"expected how its pixels are scaled, got nothing; .*--scale 1/255"):
        imported(path, labels=("a", "b", "c"))
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    model = imported(save(keras.Model(image, x), tmp_path, ".keras"), labels=("a", "b", "c"))
    assert "it takes pixels 0…255, since it begins with its own scaling" in model.assumed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "1/0"}, "--scale: expected one number or three"),
        ({"mean": "1,2"}, "--mean: expected one number or three"),
        ({"std": "0"}, "--std: expected numbers above 0"),
        ({"preprocess": "pytorch"}, "--preprocess: expected one of caffe, tf, torch, per-image, none"),
        ({"preprocess": "tf", "scale": "1/255"}, "--preprocess: expected alone, got --scale beside it"),
    ],
)
def test_impossible_scalings_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scaling_of_options(**options)


def test_a_mean_for_pixels_of_another_range_is_found_out() -> None:
    """The commonest slip: what is written down for pixels 0…1, without the 1/255."""
    wrong = scaling_of_options(mean="0.485,0.456,0.406", std="0.229,0.224,0.225")
    assert wrong is not None
    assert wrong.largest == pytest.approx(255 / 0.224, rel=0.01)
    assert all(named_scaling(name).largest <= 255 for name in ("caffe", "tf", "torch", "none"))


def test_a_function_that_is_no_scaling_is_found_out() -> None:
    with pytest.raises(ValueError, match="expected a scaling of each channel"):
        scaling_of_function(lambda pixels: pixels**2)
    with pytest.raises(ValueError, match="expected a scaling of each channel"):
        scaling_of_function(lambda pixels: pixels + pixels[..., ::-1])


def test_labels_come_from_a_file_or_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\n\ndog\n")
    assert read_labels(str(tmp_path / "labels.txt")) == read_labels("cat,dog") == ("cat", "dog")
    for text, message in (("cat", "--labels cat: not found"), ("cat,cat", "twice cat"), ("cat,,dog", "got ''")):
        with pytest.raises(InputError, match=message):
            read_labels(text)
