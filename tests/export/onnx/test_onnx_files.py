"""What stands inside the exported ONNX files, read by the onnx package and run by its reference evaluator."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from format_content import content_of
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx_standard import opencv_for, require_standard

from edgecnn_export.formats import FORMATS
from edgecnn_runtime import Classifier
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.manifest import ONNX_KEY, Manifest, Scheme
from edgecnn_runtime.model_files.onnx_graph import read_onnx_facts
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.run_folder import RunFolder

SCHEMES = [fmt.scheme for fmt in FORMATS.values() if fmt.suffix == ".onnx"]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    chosen: Scheme = request.param
    return chosen


@pytest.fixture
def model(exported_run: RunFolder, scheme: Scheme) -> onnx.ModelProto:
    return onnx.load(exported_run.exported(scheme, ".onnx"))


def test_the_file_is_what_the_standard_says(model: onnx.ModelProto) -> None:
    require_standard(model)
    assert model.opset_import[0].version == 17


def test_onnx_runtime_opens_it_without_a_word(
    exported_run: RunFolder, scheme: Scheme, capfd: pytest.CaptureFixture[str]
) -> None:
    import onnxruntime

    onnxruntime.InferenceSession(exported_run.exported(scheme, ".onnx"), providers=["CPUExecutionProvider"])
    assert capfd.readouterr() == ("", "")


def test_the_batch_is_open_and_the_tensors_have_names(model: onnx.ModelProto) -> None:
    shapes = {
        tensor.name: [size.dim_param or size.dim_value for size in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"pixels": ["N", 28, 28, 1], "probabilities": ["N", 10]}


def test_the_graph_has_no_run_time_shapes_and_no_transpose(model: onnx.ModelProto) -> None:
    operators = Counter(node.op_type for node in model.graph.node)
    assert not {"Shape", "Gather", "Slice", "Concat"} & set(operators)
    assert operators["Transpose"] == 0


def test_the_manifest_is_in_the_properties(model: onnx.ModelProto, scheme: Scheme) -> None:
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["labels"] == "0,1,2,3,4,5,6,7,8,9"
    assert Manifest.from_json(properties[ONNX_KEY]).scheme is scheme


def rounded(model: onnx.ModelProto) -> set[str]:
    """The tensors that are rounded to 8 bits."""
    return {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}


def test_int8_is_qdq_and_per_channel_but_for_the_logits(exported_run: RunFolder) -> None:
    model = onnx.load(exported_run.exported(Scheme.INT8, ".onnx"))
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kernels = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in weights]
    assert {str(weights[node.input[0]].dtype) for node in kernels} == {"int8", "int32"}
    channels = sorted(weights[node.input[1]].size for node in kernels if weights[node.input[0]].ndim == 4)
    assert channels == [32, 64]
    (logits,) = (node for node in model.graph.node if node.op_type == "Gemm" and node.output[0] not in rounded(model))
    (softmax,) = (node for node in model.graph.node if node.op_type == "Softmax")
    assert softmax.input[0] == logits.output[0]
    assert softmax.output[0] == model.graph.output[0].name


def test_int8_takes_the_cameras_bytes_as_they_are(exported_run: RunFolder) -> None:
    graph = onnx.load(exported_run.exported(Scheme.INT8, ".onnx")).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    operators = [node for node in graph.node if node.input[0] not in constants]
    assert [node.op_type for node in operators[:4]] == ["Reshape", "QuantizeLinear", "DequantizeLinear", "Conv"]
    for node in operators[1:3]:
        assert [constants[name].item() for name in node.input[1:]] == [1, 0]
    assert not {"Mul", "Add"} & {node.op_type for node in operators}


def test_without_its_manifest_a_file_still_tells_what_pixels_it_takes(exported_run: RunFolder, scheme: Scheme) -> None:
    first = read_onnx_facts(exported_run.exported(scheme, ".onnx").read_bytes()).first_scaling
    assert first is not None
    assert not first.takes_0_to_1


def test_onnxs_own_evaluator_gives_the_same_probabilities(
    model: onnx.ModelProto, exported_run: RunFolder, scheme: Scheme, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    images = digits[0][::1000]
    # It has no DequantizeLinear of earlier opsets.
    evaluator = ReferenceEvaluator(onnx.version_converter.convert_version(model, 19))
    (expected,) = evaluator.run(None, {"pixels": images.astype(np.float32)})
    found = Classifier.open(exported_run.exported(scheme, ".onnx")).predict_proba(images)
    np.testing.assert_allclose(found, expected, atol=5e-3 if scheme is Scheme.FLOAT16 else 1e-5)


def test_opencv_gives_the_same_probabilities(
    exported_run: RunFolder, scheme: Scheme, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    path = exported_run.exported(scheme, ".onnx")
    images = digits[0][::50]
    cv2 = opencv_for(path)
    if cv2 is None:
        return
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(images.astype(np.float32))
    np.testing.assert_allclose(network.forward(), Classifier.open(path).predict_proba(images), atol=1e-4)


# Of what Keras makes them, and what stands in the ONNX file.
OWN_TERMS = {
    "gelu": ({"activation": "gelu"}, "Erf"),  # ConvNeXt, for one, consists of it
    "celu": ({"activation": "celu"}, "Exp"),
    "grouped": ({"groups": 3}, "Conv"),  # ResNeXt and ShuffleNet; Keras traces it as a function of its own
}


@pytest.mark.parametrize("scheme", [Scheme.FLOAT32, Scheme.FLOAT16, Scheme.INT8])
@pytest.mark.parametrize(("options", "operator"), OWN_TERMS.values(), ids=OWN_TERMS)
def test_layers_are_written_in_terms_that_onnx_has(
    scheme: Scheme, options: dict[str, object], operator: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="pixels"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, **options),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="probabilities"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    path = tmp_path / "m.onnx"
    with native_output_kept():
        fmt = FORMATS[f"onnx-{scheme}"]
        path.write_bytes(content_of(network, fmt, images if fmt.needs_calibration else None))
    assert operator in {node.op_type for node in onnx.load(path).graph.node}
    allowed = {Scheme.FLOAT32: 1e-5, Scheme.FLOAT16: 5e-3, Scheme.INT8: 0.03}[scheme]
    np.testing.assert_allclose(open_backend(path).infer(images), np.asarray(network(images)), atol=allowed)
    assert "ERROR:tf2onnx" not in capfd.readouterr().err


def test_what_a_layer_holds_beside_its_weights_is_a_constant(tmp_path: Path) -> None:
    """EfficientNet begins with a Normalization."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="pixels"),
            layers.Normalization(mean=[100, 110, 120], variance=[3000, 3100, 3200]),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    path = tmp_path / "m.onnx"
    path.write_bytes(content_of(network, FORMATS["onnx-float32"]))
    graph = onnx.load(path).graph
    assert [tensor.name for tensor in graph.input] == ["pixels"]
    assert [tensor.name for tensor in graph.output] == ["probabilities"]
    np.testing.assert_allclose(open_backend(path).infer(images), np.asarray(network(images)), atol=1e-5)
