"""Keras to ONNX: float32, and what float16 and int8 are made of."""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_export.onnx.channels_first import flatten_channels_first
from edgecnn_export.onnx.graph import OnnxGraph
from edgecnn_export.onnx.names import name_by_layer
from edgecnn_export.onnx.scaling import fold_scaling
from edgecnn_export.onnx.unused import remove_unused
from edgecnn_runtime.errors import MissingExtraError


def checked(model: onnx.ModelProto) -> bytes:
    """Return the file of a model, without what it does not use, that the ONNX checker has accepted."""
    remove_unused(model)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def convert_onnx(model: keras.Model, *, opset: int) -> onnx.ModelProto:
    """Convert to float32, through a frozen graph.

    tf2onnx's `from_keras` fails with Keras 3, and its `from_function` makes inputs of what a layer holds beside its
    weights, such as the mean of a Normalization.

    Pixels come channels last and ONNX computes channels first, so colour costs one Transpose, at the front, where a
    grey image costs a Reshape. The converter adds none where nothing else needs one, and that in front of a flattening
    layer is folded into the weights behind it.
    """
    graph = deployment_graph(model, batch=None)
    with _plainly_traced():
        pixels = tf.TensorSpec(graph.inputs[0].shape, tf.float32, name="pixels")
        traced = tf.function(lambda pixels: graph(pixels, training=False)).get_concrete_function(pixels)
        frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False, aggressive_inlining=True)
    output = frozen.outputs[0].name
    with _quiet():
        converted, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(add_shapes=True),
            input_names=["pixels:0"],
            output_names=[output],
            tensors_to_rename={"pixels:0": "pixels", output: "probabilities"},
            opset=opset,
            custom_op_handlers=_HANDLERS,
        )
    flatten_channels_first(converted)
    for tensor in (converted.graph.input[0], converted.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    name_by_layer(converted)
    return converted


@contextlib.contextmanager
def _plainly_traced() -> Iterator[None]:
    """Trace functions within functions as if they were not: Keras has one around each grouped convolution."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep tf2onnx's log; what it has to say comes as an error."""
    log = logging.getLogger("tf2onnx")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _one_and(kind: str, *, from_one: bool) -> tuple[Callable[..., None], list[Any]]:
    """Write an operator that ONNX does not have as the difference between 1 and one that it has."""

    def write(context: Any, node: Any, name: str, arguments: list[Any]) -> None:
        del arguments
        source, output = node.input[0], node.output[0]
        about = {"shapes": [context.get_shape(output)], "dtypes": [context.get_dtype(output)]}
        context.remove_node(name)
        one = context.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
        made = context.make_node(kind, [source], **about).output[0]
        context.make_node("Sub", [one, made] if from_one else [made, one], name=name, outputs=[output], **about)

    return write, []


# What Keras makes GELU and CELU of: erfc(x) = 1 - erf(x), expm1(x) = exp(x) - 1.
_HANDLERS = {"Erfc": _one_and("Erf", from_one=True), "Expm1": _one_and("Exp", from_one=False)}


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in float16, but for its input and output."""
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel
    except ImportError as error:
        raise MissingExtraError("float16 ONNX", package="onnxruntime", extra="onnx") from error
    halved = OnnxModel(convert_float_to_float16(model, keep_io_types=True))
    # Where two operators that stay float32 read one tensor, it is cast twice, to the same name.
    once = {node.SerializeToString(): node for node in halved.model.graph.node}
    del halved.model.graph.node[:]
    halved.model.graph.node.extend(once.values())
    # The casts at the input are appended behind their consumers; the checker wants them in order.
    halved.topological_sort(is_deterministic=True)
    return halved.model


def quantizable_onnx(model: onnx.ModelProto) -> OnnxGraph:
    """Prepare a float32 model for `quantize.quantize`: batch normalization and the scaling of the pixels folded."""
    try:
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("int8 ONNX", package="onnxruntime", extra="onnx") from error
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        # By path: given a model in memory, the preparation looks for external data that is not there.
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        return fold_scaling(OnnxGraph(onnx.load(prepared)))
