"""Every recipe's network, with random weights, through the exporter, the runtime and other people's software."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import needs
import numpy as np
import onnx
import pytest
from format_content import content_of, conversion_of
from micro import A_LOGIT_STEP, MicroBackend
from needs import Need
from numpy.typing import NDArray
from onnx_standard import opencv_for, require_standard
from tflite_facts import oldest_runtime, operator_versions

from edgecnn_export.formats import FORMATS, Io
from edgecnn_export.inspection.model import inspect_model
from edgecnn_export.inspection.targets import ethos_u
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.micro.bare_network import bare_network
from edgecnn_export.micro.operators import resolver_methods
from edgecnn_export.tflite.arena import measure_arena
from edgecnn_export.tflite.flatbuffer import operator_names, unpack
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.quantize import quantize
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_training.recipes import get_recipe, list_recipes

# Large enough for every network, and quick; those for smaller images take these.
LARGEST_SIDE = 64
# The network of another recipe: of casting, of small-cnn.
SAME = {"casting-augmented", *(recipe.name for recipe in list_recipes() if recipe.name.endswith("-plus"))}
SLOW = {"casting-mobilenetv2", "symbols-vgg16", "transfer"}

# Transposes in the ONNX files: one brings the pixels of a colour image channels first, and nothing else needs one.
TRANSPOSES = {
    "casting": 1,
    "casting-binary": 1,
    "casting-mobilenetv2": 1,
    "chinese-mnist": 0,
    "mnist": 0,
    "resnet8": 1,
    "signs": 1,
    "small-cnn": 1,
    "symbols": 1,
    "symbols-vgg16": 1,
    "transfer": 1,
}

# What only the last layer has is of float32: one dense layer, but where others stand before it, and what makes
# [1 - p, p] of a sigmoid's p.
IN_THE_LAST_LAYER: dict[str, dict[str, int]] = {"casting": {}, "casting-binary": {"ADD": 1, "MUL": 1}, "mnist": {}}
# Versions of operators by the rules of tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.
VERSIONS = {
    "float32": {
        **dict.fromkeys(("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D"), 1),
        **dict.fromkeys(("FULLY_CONNECTED", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "RELU", "RESHAPE"), 1),
        **dict.fromkeys(("SOFTMAX", "SUB"), 1),
    },
    # The last layer's are those of float32, but where it shares an operator with layers that compute in int8.
    "int8": {
        **dict.fromkeys(("ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "SUB"), 2),
        **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), 3),
        **dict.fromkeys(("CONCATENATION", "LOGISTIC", "QUANTIZE", "RESHAPE", "SOFTMAX"), 1),
        "DEQUANTIZE": 2,
        "FULLY_CONNECTED": 4,
    },
}

# Micro-controllers and NPUs have none of them.
FORBIDDEN = {"SHAPE", "STRIDED_SLICE", "PACK"}

# What Arm's compiler leaves on the CPU beside an Ethos-U: of all-integer files nothing, of the usual form the last
# layer, which computes in float32.
LEFT_ON_CPU = {
    Io.INT8: set(),
    Io.EDGE_TPU: set(),
    # A sigmoid's p becomes [1 - p, p].
    Io.UINT8: {"DEQUANTIZE", "FULLY_CONNECTED", "SOFTMAX", "LOGISTIC", "MUL", "ADD", "CONCATENATION"},
}


@dataclass(frozen=True)
class Exported:
    """One recipe's network in five formats, and what Keras gives for some images."""

    name: str
    folder: Path
    pixels: NDArray[np.uint8]
    expected: NDArray[np.float32]

    @property
    def float32(self) -> Path:
        return self.folder / "float32.tflite"

    @property
    def int8(self) -> Path:
        return self.folder / "int8.tflite"

    @property
    def onnx(self) -> Path:
        return self.folder / "float32.onnx"

    @property
    def float16_onnx(self) -> Path:
        return self.folder / "float16.onnx"

    @property
    def int8_onnx(self) -> Path:
        return self.folder / "int8.onnx"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(recipe.name, marks=pytest.mark.slow if recipe.name in SLOW else ())
        for recipe in list_recipes()
        if recipe.name not in SAME
    ],
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    import keras

    from edgecnn_training.networks.network import build_network

    folder = tmp_path_factory.mktemp("recipe")
    recipe = get_recipe(request.param)
    side = min(LARGEST_SIDE, recipe.input_shape[0])
    shape = (side, side, recipe.input_shape[-1])
    keras.utils.set_random_seed(0)
    built = build_network(keras, recipe, 2, shape=shape)
    if request.param in SLOW:
        # Untrained, a base of fifty layers lets its activations vanish: scales of 1e-9, which TFLite-Micro refuses.
        for weights in built.weights:
            if weights.path.endswith("/gamma"):
                weights.assign(4 * weights)
    built.save(folder / "model.keras")
    model = keras.models.load_model(folder / "model.keras", compile=False, safe_mode=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    made = Exported(request.param, folder, pixels, np.asarray(model(pixels)))
    with native_output_kept():
        made.float32.write_bytes(content_of(model, FORMATS["tflite-float32"]))
        made.int8.write_bytes(content_of(model, FORMATS["tflite-int8"], pixels))
        conversion = conversion_of(model, ".onnx")
        for path in (made.onnx, made.float16_onnx, made.int8_onnx):
            path.write_bytes(content_of(model, FORMATS[f"onnx-{path.stem}"], pixels, conversion=conversion))
    return made


def test_every_recipe_can_be_deployed(exported: Exported) -> None:
    for path in (exported.float32, exported.onnx):
        np.testing.assert_allclose(open_backend(path).infer(exported.pixels), exported.expected, atol=1e-4)
    # Random weights make no useful int8 ranges; that it runs and gives probabilities is all there is to see.
    for path in (exported.int8, exported.int8_onnx):
        probabilities = open_backend(path).infer(exported.pixels)
        assert probabilities.shape == exported.expected.shape
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=0.02)
    for path in (exported.float32, exported.int8):
        assert FORBIDDEN.isdisjoint(operator_names(unpack(path.read_bytes())))


def test_tflite_files_have_the_operators_that_the_standard_asks_for(exported: Exported) -> None:
    for path in (exported.float32, exported.int8):
        versions = operator_versions(path.read_bytes())
        expected = {name: VERSIONS[path.stem][name] for name in versions}
        expected |= IN_THE_LAST_LAYER.get(exported.name, {"FULLY_CONNECTED": 1})
        assert versions == expected
    # TensorFlow 1.14 and later.
    assert oldest_runtime(exported.int8.read_bytes()) == "1.14.0"


def test_onnx_files_are_what_the_standard_says(exported: Exported) -> None:
    for path in (exported.onnx, exported.float16_onnx, exported.int8_onnx):
        model = onnx.load(path)
        require_standard(model)
        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("Transpose") == TRANSPOSES[exported.name]


def test_the_pixels_of_an_int8_onnx_file_are_rounded_once(exported: Exported) -> None:
    graph = onnx.load(exported.int8_onnx).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    operators = [node for node in graph.node if node.input[0] not in constants]
    front = list(itertools.takewhile(lambda node: node.op_type != "QuantizeLinear", operators))
    assert {node.op_type for node in front} <= {"Sub", "Reshape", "Transpose"}
    assert operators[len(front) + 1].op_type == "DequantizeLinear"
    assert operators[len(front) + 2].op_type in ("Conv", "Gemm")
    one_grey = all(constants[node.input[1]].size == 1 for node in front if node.op_type == "Sub")
    if one_grey:
        assert constants[operators[len(front)].input[1]] == 1


def test_tflite_micro_computes_the_same(exported: Exported) -> None:
    """With the network alone, as the C++ source holds it; XNNPACK rounds differently, TFLite's reference does not."""
    content = exported.int8.read_bytes()
    found = MicroBackend(bare_network(content)).infer(exported.pixels)
    expected = LiteRTBackend(exported.int8, reference=True).infer(exported.pixels)
    np.testing.assert_allclose(found, expected, atol=A_LOGIT_STEP)


def test_every_operator_can_be_registered_and_the_arena_measured(exported: Exported) -> None:
    content = exported.int8.read_bytes()
    operators = operator_names(unpack(content))
    assert len(resolver_methods(operators)) == len(operators)
    needs.package("tflite_micro", "tflite-micro")
    arena = measure_arena(content)
    assert arena is not None
    # The interpreter can be made with just that; the image has to have a place in it.
    assert arena > exported.pixels[0].size
    MicroBackend(content, arena=arena)


def test_opencv_gives_the_same_probabilities(exported: Exported) -> None:
    # OpenCV computes float16 in float32, and rounds integers in other places.
    for path, allowed in ((exported.onnx, 1e-4), (exported.float16_onnx, 5e-3), (exported.int8_onnx, 0.03)):
        cv2 = opencv_for(path)
        if cv2 is None:
            continue
        network = cv2.dnn.readNetFromONNX(str(path))
        expected = open_backend(path).infer(exported.pixels)
        for batch in (slice(0, 1), slice(0, 3)):
            network.setInput(exported.pixels[batch].astype(np.float32))
            np.testing.assert_allclose(network.forward(), expected[batch], atol=allowed)


@needs.mark(ethos_u.vela_command() is not None, Need.PACKAGE, "pip install ethos-u-vela")
def test_no_operator_of_a_recipe_is_left_on_the_cpu_of_an_ethos_u55(exported: Exported, tmp_path: Path) -> None:
    graph = TFLiteGraph(exported.float32.read_bytes())
    statistics = measure_statistics(graph, exported.pixels, CalibrationMethod.MINMAX)
    path = tmp_path / f"{exported.name}_int8.tflite"
    for io, allowed in LEFT_ON_CPU.items():
        path.write_bytes(quantize(graph, statistics, io=io))
        verdict = ethos_u.judge(inspect_model(path), "ethos-u55-128")
        left = [operator.kind for obstacle in verdict.obstacles for operator in obstacle.operators]
        assert set(left) <= allowed
        assert left.count("FULLY_CONNECTED") <= 1
        assert verdict.estimate is not None
        assert verdict.estimate.cycles > 0
