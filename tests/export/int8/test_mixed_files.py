"""int8 files in which some operators stay float32, in both containers: just those, and the others do not."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from micro import A_LOGIT_STEP, MicroBackend

from edgecnn_export.containers import CONTAINERS
from edgecnn_export.formats import FORMATS, Io
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_export.onnx.container import OnnxQuantizer
from edgecnn_export.proof.inference import opened
from edgecnn_export.tflite.container import TFLITE, TFLiteQuantizer
from edgecnn_export.tflite.flatbuffer import operator_name, operator_names, unpack
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.errors import GateError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), np.uint8)
WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm", "MatMul"}
Quantizer = TFLiteQuantizer | OnnxQuantizer
SUFFIXES = list(CONTAINERS)


def quantizer_of(network: Any, suffix: str = TFLITE.format.suffix) -> Quantizer:
    container = CONTAINERS[suffix]
    return container.convert(network, opset=17, reduce_range=True).quantizer(FORMATS[f"{container.format.name}-int8"])


@pytest.fixture(scope="module")
def network() -> Any:
    """Two convolutions, a depthwise one between them, and a dense layer; what lies behind the first suits no int8."""
    import keras

    keras.utils.set_random_seed(2)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="pixels"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, activation="relu"),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.Conv2D(8, 1, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    first, second = network.layers[1:3]
    scales = np.logspace(-2, 2, 8)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * scales, bias * scales])  # ReLU passes a positive factor on
    kernel, bias = second.get_weights()
    second.set_weights([kernel / scales[:, np.newaxis], bias])
    return network


@pytest.fixture(scope="module", params=SUFFIXES)
def quantizer(request: pytest.FixtureRequest, network: Any) -> Quantizer:
    return quantizer_of(network, request.param)


def in_float_of_tflite(content: bytes) -> list[bool]:
    """Of each operator with weights, in order, whether they are stored in float32."""
    model = unpack(content)
    graph = model.subgraphs[0]
    unpacked = {
        each.outputs[0]: each.inputs[0] for each in graph.operators if operator_name(model, each) == "DEQUANTIZE"
    }
    return [
        graph.tensors[unpacked.get(operator.inputs[1], operator.inputs[1])].type == schema.TensorType.FLOAT32
        for operator in graph.operators
        if operator_name(model, operator) in WEIGHTED
    ]


def in_float_of_onnx(content: bytes) -> list[bool]:
    graph = onnx.load_from_string(content).graph
    constants = {entry.name for entry in graph.initializer}
    return [node.input[1] in constants for node in graph.node if node.op_type in WEIGHTED]


@pytest.mark.parametrize("chosen", [(), (0,), (1,), (0, 1), (1, 2), (0, 1, 2)])
def test_just_the_chosen_operators_stay_float32(quantizer: Quantizer, chosen: Sequence[int], tmp_path: Path) -> None:
    weighted = [operator for operator in quantizer.graph.operators if operator.weighted]
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    content = quantizer.file(statistics, [weighted[number] for number in chosen])
    tflite = isinstance(quantizer, TFLiteQuantizer)
    found = in_float_of_tflite(content) if tflite else in_float_of_onnx(content)
    assert found == [number in chosen for number in range(len(weighted))]
    path = tmp_path / f"m{quantizer.suffix}"
    path.write_bytes(content)
    probabilities = open_backend(path).infer(IMAGES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def test_what_stays_float32_comes_closer_to_the_float_network(quantizer: Quantizer, network: Any) -> None:
    """With all in front of the tail in float32, what is left is the rounding of the features and the tail's own."""
    graph = quantizer.graph
    expected = np.asarray(network(IMAGES))
    statistics = measure_statistics(graph, IMAGES, CalibrationMethod.MINMAX)

    def error(in_float: Sequence[FloatOperator]) -> float:
        with opened(quantizer.file(statistics, in_float), quantizer.suffix) as backend:
            return float(np.abs(backend.infer(IMAGES) - expected).mean())

    last = max(number for number, operator in enumerate(graph.operators) if operator.weighted)
    front = graph.operators[:last]
    assert error(front) < error(()) / 3


def with_layer(name: str) -> Any:
    """A network in which a convolution is followed by a layer called "odd"."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    layer = layers.Activation(name, name="odd") if name.islower() else getattr(layers, name)(name="odd")
    network = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="pixels"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3),
            layer,
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    if name == "PReLU":  # Keras begins with slopes of 0
        layer.set_weights([np.random.default_rng(0).uniform(-0.2, 0.5, layer.alpha.shape)])
    return network


# Which of the integer files computes the layer with integers.
BOTH, EIGHT_BITS, INTEGERS_ONLY, NONE = {"int8", "int16x8"}, {"int8"}, {"io int8"}, set[str]()
LAYERS = {
    "silu": BOTH | INTEGERS_ONLY,
    "hard_silu": EIGHT_BITS | INTEGERS_ONLY,
    "gelu": BOTH | INTEGERS_ONLY,
    "LeakyReLU": BOTH | INTEGERS_ONLY,
    "ELU": EIGHT_BITS | INTEGERS_ONLY,
    "GlobalMaxPooling2D": BOTH | INTEGERS_ONLY,
    "UpSampling2D": BOTH | INTEGERS_ONLY,
    "PReLU": INTEGERS_ONLY,  # slower than in float32 on a CPU
    "LayerNormalization": NONE,
    "selu": NONE,
    "mish": NONE,
    "softplus": NONE,
}


@pytest.mark.parametrize(("name", "integer"), LAYERS.items())
def test_layers_without_an_integer_form_stay_float32_as_a_whole(name: str, integer: set[str]) -> None:
    network = with_layer(name)
    quantizer = quantizer_of(network)
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    odd = [operator for operator in quantizer.graph.operators if operator.label == "odd"]
    eight = quantizer.without_integer_form(statistics)
    assert list(eight) == ([] if "int8" in integer else odd)
    content = quantizer.file(statistics, eight)
    assert in_float_of_tflite(content) == [False, False]
    with opened(content, quantizer.suffix) as backend:
        np.testing.assert_allclose(backend.infer(IMAGES), network(IMAGES), atol=0.03)
    int16x8 = dataclasses.replace(quantizer, bits=16)
    sixteen = int16x8.without_integer_form(statistics)
    assert (not sixteen) == ("int16x8" in integer)
    with opened(int16x8.file(statistics, sixteen), quantizer.suffix) as backend:
        np.testing.assert_allclose(backend.infer(IMAGES), network(IMAGES), atol=0.03)
    signed = dataclasses.replace(quantizer, io=Io.INT8)
    assert signed.without_integer_form(statistics) == ()
    if "io int8" in integer:
        with opened(signed.file(statistics, ()), quantizer.suffix) as backend:
            np.testing.assert_allclose(backend.infer(IMAGES), network(IMAGES), atol=0.03)
    else:
        with pytest.raises(GateError, match="expected operators with an integer form, got "):
            signed.file(statistics, ())


@pytest.mark.parametrize("name", ["LeakyReLU", "ELU", "PReLU"])
def test_microcontrollers_compute_these_activations_with_integers(name: str, tmp_path: Path) -> None:
    quantizer = dataclasses.replace(quantizer_of(with_layer(name)), io=Io.INT8)
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    content = quantizer.file(statistics, ())
    assert "DEQUANTIZE" not in operator_names(unpack(content))
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    # Of an ELU there is no reference kernel; the optimized ones may round an activation up where Micro rounds it down.
    bit_by_bit = name != "ELU"
    expected = LiteRTBackend(path, reference=bit_by_bit).infer(IMAGES)
    found = MicroBackend(content).infer(IMAGES)
    np.testing.assert_allclose(found, expected, atol=A_LOGIT_STEP if bit_by_bit else 1 / 256)


@pytest.mark.parametrize("name", ["LeakyReLU", "ELU"])
def test_integers_go_on_where_an_activation_has_several_readers(name: str) -> None:
    """One wants it in its own range, one in that of both branches, the last dense layer in 16 bits."""
    import keras

    keras.utils.set_random_seed(1)
    layers, activation = keras.layers, getattr(keras.layers, name)
    pixels = keras.Input((12, 12, 3), name="pixels")
    x = activation()(layers.Conv2D(8, 3, padding="same")(layers.Rescaling(1 / 255)(pixels)))
    x = layers.Concatenate()([x, 4 * layers.Conv2D(8, 1)(x)])
    x = activation()(layers.Dense(12)(layers.Flatten()(x)))
    network = keras.Model(pixels, layers.Dense(3, activation="softmax")(x))
    quantizer = dataclasses.replace(quantizer_of(network), io=Io.INT8)
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    content = quantizer.file(statistics, ())
    assert operator_names(unpack(content)).count("DEQUANTIZE") == 0
    with opened(content, quantizer.suffix) as backend:
        np.testing.assert_allclose(backend.infer(IMAGES), network(IMAGES), atol=0.03)


@pytest.mark.parametrize("bits", [8, 16])
def test_integers_go_on_through_several_such_operators(bits: int) -> None:
    """As in a network that ends with LeakyReLU and GlobalMaxPooling2D."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    pixels = keras.Input((12, 12, 3), name="pixels")
    x = layers.LeakyReLU()(layers.Conv2D(8, 3, padding="same")(layers.Rescaling(1 / 255)(pixels)))
    x = layers.UpSampling2D()(layers.LeakyReLU()(x))
    network = keras.Model(pixels, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling2D()(x)))
    quantizer = dataclasses.replace(quantizer_of(network), bits=bits, io=Io.INT8 if bits == 8 else Io.UINT8)
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    content = quantizer.file(statistics, ())
    names = [operator_name(unpack(content), operator) for operator in unpack(content).subgraphs[0].operators]
    assert names.count("DEQUANTIZE") == (bits == 16)  # of the output
    with opened(content, quantizer.suffix) as backend:
        np.testing.assert_allclose(backend.infer(IMAGES), network(IMAGES), atol=0.03)


@pytest.fixture(scope="module")
def split() -> Any:
    """As in ShuffleNet: half of the channels go through a convolution, the others do not."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    pixels = keras.Input((12, 12, 3), name="pixels")
    x = layers.Conv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(pixels))
    first, second = keras.ops.split(x, 2, axis=-1)
    x = layers.Concatenate()([first, layers.Conv2D(4, 1)(second)])
    return keras.Model(pixels, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_output_of_an_operator_has_its_range(suffix: str, split: Any) -> None:
    quantizer = quantizer_of(split, suffix)
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    (operator,) = (operator for operator in quantizer.graph.operators if operator.kind.upper() == "SPLIT")
    assert len(operator.outputs) == 2
    for in_float in ((), [operator]):
        with opened(quantizer.file(statistics, in_float), quantizer.suffix) as backend:
            np.testing.assert_allclose(backend.infer(IMAGES), split(IMAGES), atol=0.03)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_activations_that_are_no_numbers_are_named(suffix: str) -> None:
    """Quantized, they would crash LiteRT."""
    import keras

    layers = keras.layers
    pixels = keras.Input((12, 12, 3), name="pixels")
    x = layers.Conv2D(4, 3, use_bias=False)(pixels)
    x = layers.Conv2D(4, 1, name="behind")(x / keras.ops.mean(keras.ops.abs(x), axis=(1, 2, 3), keepdims=True))
    network = keras.Model(pixels, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))
    quantizer = quantizer_of(network, suffix)
    black = np.zeros_like(IMAGES[:2])
    statistics = measure_statistics(quantizer.graph, black, CalibrationMethod.MINMAX)
    with pytest.raises(GateError, match="expected activations that are finite numbers, got others on the calibration"):
        quantizer.file(statistics, quantizer.without_integer_form(statistics))


def test_an_activation_that_is_to_stay_float32_does() -> None:
    quantizer = quantizer_of(with_layer("LeakyReLU"))
    statistics = measure_statistics(quantizer.graph, IMAGES, CalibrationMethod.MINMAX)
    odd = [operator for operator in quantizer.graph.operators if operator.label == "odd"]
    model = unpack(quantizer.file(statistics, odd))
    (activation,) = (each for each in model.subgraphs[0].operators if operator_name(model, each) == "LEAKY_RELU")
    assert model.subgraphs[0].tensors[activation.outputs[0]].type == schema.TensorType.FLOAT32


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_comparisons_have_no_range_to_narrow(method: str) -> None:
    """A SELU is compared with zero on the way; its booleans are no activations to be rounded."""
    import keras

    network = keras.Sequential(
        [keras.Input((12, 12, 3), name="pixels"), keras.layers.Conv2D(2, 3, activation="selu"), keras.layers.Flatten()]
    )
    graph = quantizer_of(network).graph
    (compared,) = (operator for operator in graph.operators if operator.kind == "GREATER")
    assert measure_statistics(graph, IMAGES, CalibrationMethod(method)).ranges[compared.output] == (0, 1)
