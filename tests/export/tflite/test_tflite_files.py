"""What stands inside the exported TFLite files, read by LiteRT itself and by the schema's own reader."""

import re
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from tflite_facts import oldest_runtime, operator_versions

from edgecnn_export.formats import FORMATS
from edgecnn_runtime.manifest import TFLITE_FILE, Manifest, Scheme
from edgecnn_runtime.workstation.run_folder import RunFolder

SCHEMES = [fmt.scheme for fmt in FORMATS.values() if fmt.suffix == ".tflite"]
# Operators that size a tensor at run time; micro-controllers and NPUs have none of them.
DYNAMIC_SHAPE = {"SHAPE", "STRIDED_SLICE", "PACK"}


def _interpreter(run: RunFolder, scheme: Scheme) -> Interpreter:
    interpreter = Interpreter(str(run.exported(scheme, ".tflite")), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_graph_is_static_and_its_tensors_have_names(exported_run: RunFolder, scheme: Scheme) -> None:
    interpreter = _interpreter(exported_run, scheme)
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert operators.isdisjoint(DYNAMIC_SHAPE)
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (pixels["name"], pixels["shape"].tolist()) == ("pixels", [1, 28, 28, 1])
    assert (probabilities["name"], probabilities["shape"].tolist()) == ("probabilities", [1, 10])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_batch_can_be_resized(
    exported_run: RunFolder, scheme: Scheme, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    interpreter = _interpreter(exported_run, scheme)
    pixels, probabilities = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    images = digits[0][::1000].astype(pixels["dtype"])
    alone = []
    for image in images:
        interpreter.set_tensor(pixels["index"], image[np.newaxis])
        interpreter.invoke()
        alone.append(interpreter.get_tensor(probabilities)[0])
    interpreter.resize_tensor_input(pixels["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(pixels["index"], images)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(probabilities), np.stack(alone), atol=1e-4)


def test_int8_takes_the_cameras_bytes_and_has_weights_per_channel(exported_run: RunFolder) -> None:
    interpreter = _interpreter(exported_run, Scheme.INT8)
    pixels, probabilities = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert (pixels["dtype"], pixels["quantization"]) == (np.uint8, (1.0, 0))
    assert probabilities["dtype"] == np.float32
    tensors = interpreter.get_tensor_details()
    # Integers up to the last weights, float32 from there on.
    floats = [tensor["name"] for tensor in tensors if tensor["dtype"] == np.float32]
    assert all(re.search("dense_[0-9]+_1/|^probabilities$", name) for name in floats)
    assert len(floats) == 5  # the features, the weights, the biases, the logits, the probabilities
    kernels = {
        tuple(tensor["shape"]): len(tensor["quantization_parameters"]["scales"])
        for tensor in tensors
        if tensor["dtype"] == np.int8 and len(tensor["shape"]) == 4 and tensor["shape"][0] in (32, 64)
    }
    assert kernels == {(32, 3, 3, 1): 32, (64, 3, 3, 32): 64}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_labels_and_manifest_are_in_the_file(exported_run: RunFolder, scheme: Scheme) -> None:
    with zipfile.ZipFile(exported_run.exported(scheme, ".tflite")) as archive:
        assert archive.read("labels.txt").decode().split() == list("0123456789")
        manifest = Manifest.from_json(archive.read(TFLITE_FILE))
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert manifest.scheme is scheme
    assert (manifest.name, manifest.recipe) == ("digits", "mnist")
    assert manifest.data_fingerprint == exported_run.read_record().data_fingerprint
    assert (manifest.calibration is not None) == (scheme in (Scheme.INT8, Scheme.INT16X8))
    assert {"edgecnn", "tensorflow", "keras"} <= set(manifest.versions)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_are_aligned_as_the_schema_asks(exported_run: RunFolder, scheme: Scheme) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    content = exported_run.exported(scheme, ".tflite").read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    starts = [
        model.Buffers(number)._tab.Vector(offset)
        for number in range(model.BuffersLength())
        if (offset := model.Buffers(number)._tab.Offset(4))
    ]
    assert len(starts) > 8
    assert [start % 16 for start in starts] == [0] * len(starts)


# By the rules of TensorFlow's op_version.cc; of 16-bit operators with 64-bit biases as its converter writes them.
VERSIONS = {
    Scheme.FLOAT32: {"CONV_2D": 1, "FULLY_CONNECTED": 1, "MAX_POOL_2D": 1, "RESHAPE": 1, "SOFTMAX": 1},
    Scheme.FLOAT16: {"CONV_2D": 1, "FULLY_CONNECTED": 1, "MAX_POOL_2D": 1, "RESHAPE": 1, "SOFTMAX": 1, "DEQUANTIZE": 3},
    # One scale for the weights of a dense layer; with one per channel FULLY_CONNECTED would have version 12.
    Scheme.DYNAMIC: {"CONV_2D": 5, "FULLY_CONNECTED": 9, "MAX_POOL_2D": 1, "RESHAPE": 1, "SOFTMAX": 1},
    Scheme.INT8: {
        "CONV_2D": 3,
        "FULLY_CONNECTED": 4,
        "MAX_POOL_2D": 2,
        "RESHAPE": 1,
        "SOFTMAX": 1,
        "QUANTIZE": 1,
        "DEQUANTIZE": 2,
    },
    Scheme.INT16X8: {
        "CONV_2D": 3,
        "FULLY_CONNECTED": 4,
        "MAX_POOL_2D": 3,
        "RESHAPE": 1,
        "SOFTMAX": 3,
        "QUANTIZE": 2,
        "DEQUANTIZE": 3,
    },
}
OLDEST = dict(zip(SCHEMES, ("1.5.0", "1.15.0", "2.4.0", "1.14.0", "2.4.0"), strict=True))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_operators_have_the_numbers_and_versions_of_the_standard(exported_run: RunFolder, scheme: Scheme) -> None:
    content = exported_run.exported(scheme, ".tflite").read_bytes()
    assert operator_versions(content) == VERSIONS[scheme]
    assert oldest_runtime(content) == OLDEST[scheme]
