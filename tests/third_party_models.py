"""Tiny classifiers as others make them: every kind of input and output, and their answers worked out with numpy.

Each flattens its input tensor and multiplies it with fixed weights, so that a pixel in the wrong place, of the wrong
channel or on the wrong scale changes what comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import needs
import numpy as np
from numpy.typing import NDArray
from tiny_tflite import TinyOperator, TinyTensor, numbers, tiny_tflite

HEIGHT, WIDTH, CLASSES = 5, 4, 3
LABELS = ("ant", "bee", "cat")


@dataclass(frozen=True, kw_only=True)
class ThirdParty:
    """One kind of model."""

    axes: str = "nhwc"  # nhwc, nchw, nhw, hwc, chw, flat
    channels: int = 3
    dtype: str = "float32"
    scale: float | None = None  # of the input, where it is quantized
    zero_point: int = 0
    head: str = "softmax"  # softmax, logits, sigmoid, logit, log_softmax
    output: str = "nc"  # nc, n11c, c
    output_dtype: str = "float32"
    output_scale: float = 1 / 256
    output_zero_point: int = 0
    batch: int | None = 1  # None: open
    open_size: bool = False
    gain: float = 0.3
    first: tuple[str, float] | None = None  # what it does with each pixel first: Add, Sub, Mul or Div
    quantized_to: tuple[float, int] | None = None  # scale and zero point of int8, through which a float input goes

    @property
    def units(self) -> int:
        return 1 if self.head in ("sigmoid", "logit") else CLASSES

    @property
    def shape(self) -> tuple[int, ...]:
        """The input's, for one batch."""
        n, h, w, c = self.batch or 1, HEIGHT, WIDTH, self.channels
        by_axes = {"nhwc": (n, h, w, c), "nchw": (n, c, h, w), "nhw": (n, h, w)}
        return {**by_axes, "hwc": (h, w, c), "chw": (c, h, w), "flat": (n, h * w * c)}[self.axes]

    @property
    def output_shape(self) -> tuple[int, ...]:
        n, c = self.batch or 1, self.units
        return {"nc": (n, c), "n11c": (n, 1, 1, c), "c": (c,)}[self.output]

    @property
    def weights(self) -> NDArray[np.float32]:
        values = HEIGHT * WIDTH * self.channels
        return np.random.default_rng(7).normal(0, 1, (self.units, values)).astype(np.float32)

    def answer(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """What it makes of real input values `(n, height, width, channels)`, RGB or BGR as it takes them."""
        if self.first is not None:
            kind, number = self.first
            values = {"Add": values + number, "Sub": values - number, "Mul": values * number, "Div": values / number}[
                kind
            ]
        ordered = values.transpose(0, 3, 1, 2) if self.axes in ("nchw", "chw") else values
        rows = ordered.reshape(len(values), -1) @ self.weights.T.astype(np.float64) * self.gain
        if self.head in ("sigmoid", "logit"):
            ones = 1 / (1 + np.exp(-rows))
            return np.concatenate([1 - ones, ones], axis=1)
        exponentials = np.exp(rows - rows.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


def write_tflite(path: Path, kind: ThirdParty) -> Path:
    values = HEIGHT * WIDTH * kind.channels
    rows = kind.batch or 1
    quantized_in, quantized_out = kind.scale is not None, kind.output_dtype != "float32"
    signature = (-1, *kind.shape[1:]) if kind.batch is None else None
    if kind.open_size:
        signature = {"nhwc": (-1, -1, -1, kind.channels), "nchw": (-1, kind.channels, -1, -1)}[kind.axes]
    tensors = [TinyTensor(kind.shape, kind.dtype, scales=(kind.scale,) if kind.scale else (), signature=signature,
                          zero_point=kind.zero_point)]  # fmt: skip
    operators = []

    def add(operator: str, shape: Sequence[int], *others: TinyTensor, options: Any = None, **fields: int) -> None:
        before = len(tensors) - 1
        tensors.extend(others)
        inputs = [before, *range(before + 1, len(tensors))]
        tensors.append(TinyTensor(tuple(shape), "float32"))
        operators.append(TinyOperator(operator, inputs, [len(tensors) - 1], options, fields))

    from ai_edge_litert import schema_py_generated as schema

    if quantized_in:
        add("DEQUANTIZE", kind.shape)
    elif kind.dtype != "float32":
        add("CAST", kind.shape)
    if kind.quantized_to is not None:
        add("QUANTIZE", kind.shape)
        tensors[-1] = TinyTensor(kind.shape, "int8", scales=kind.quantized_to[:1], zero_point=kind.quantized_to[1])
        add("DEQUANTIZE", kind.shape)
    if kind.first is not None:
        number = TinyTensor((1,), "float32", np.array([kind.first[1]], np.float32))
        name = kind.first[0]
        add(name.upper(), kind.shape, number, options=getattr(schema, f"{name}OptionsT")())
    add("RESHAPE", (rows, values), numbers(rows, values), options=schema.ReshapeOptionsT())
    weights = TinyTensor((kind.units, values), "float32", kind.weights * np.float32(kind.gain))
    bias = TinyTensor((kind.units,), "float32", np.zeros(kind.units, np.float32))
    add("FULLY_CONNECTED", (rows, kind.units), weights, bias, options=schema.FullyConnectedOptionsT())
    if kind.head == "softmax":
        add("SOFTMAX", (rows, kind.units), options=schema.SoftmaxOptionsT(), beta=1)
    elif kind.head == "log_softmax":
        add("LOG_SOFTMAX", (rows, kind.units), options=schema.LogSoftmaxOptionsT())
    elif kind.head == "sigmoid":
        add("LOGISTIC", (rows, kind.units))
    if kind.output != "nc":
        add("RESHAPE", kind.output_shape, numbers(*kind.output_shape), options=schema.ReshapeOptionsT())
    if quantized_out:
        add("QUANTIZE", kind.output_shape)
        tensors[-1] = TinyTensor(
            kind.output_shape, kind.output_dtype, scales=(kind.output_scale,), zero_point=kind.output_zero_point
        )
    return tiny_tflite(path, tensors, operators)


def write_onnx(path: Path, kind: ThirdParty, *, props: dict[str, str] | None = None) -> Path:
    onnx = needs.package("onnx")
    from onnx import TensorProto, helper, numpy_helper

    types = {
        "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE,
        "uint8": TensorProto.UINT8, "int32": TensorProto.INT32,
    }  # fmt: skip
    values = HEIGHT * WIDTH * kind.channels
    constants = {
        "rows": np.array([kind.batch or -1, values], np.int64),
        "weights": kind.weights.T * np.float32(kind.gain),
        "output_shape": np.array([kind.batch or -1, *kind.output_shape[1:]] if kind.output != "c" else [kind.units]),
        "bias": np.zeros(kind.units, np.float32),
        "output_scale": np.array(kind.output_scale, np.float32),
        "output_zero": np.array(kind.output_zero_point, "uint8"),
    }
    first, number = kind.first or ("Identity", 0.0)
    constants["number"] = np.array([number], np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node(first, ["float", "number"] if kind.first else ["float"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    heads = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "sigmoid": "Sigmoid"}
    head = heads.get(kind.head, "Identity")
    nodes.append(helper.make_node(head, ["logits"], ["head"]))
    nodes.append(helper.make_node("Reshape", ["head", "output_shape"], ["shaped"]))
    output_type = types[kind.output_dtype]
    if kind.output_dtype == "uint8":
        nodes.append(helper.make_node("QuantizeLinear", ["shaped", "output_scale", "output_zero"], ["answer"]))
    else:
        nodes.append(helper.make_node("Cast", ["shaped"], ["answer"], to=output_type))
    shape: list[int | str] = list(kind.shape)
    output_shape: list[int | str] = list(kind.output_shape)
    if kind.batch is None:
        shape[0] = output_shape[0] = "N"
    if kind.open_size:
        sizes = {"nhwc": (1, 2), "nchw": (2, 3)}[kind.axes]
        for axis, name in zip(sizes, ("height", "width"), strict=True):
            shape[axis] = name
    graph = helper.make_graph(
        nodes,
        "stranger",
        [helper.make_tensor_value_info("image", types[kind.dtype], shape)],
        [helper.make_tensor_value_info("answer", output_type, output_shape)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if props:
        helper.set_model_props(model, props)
    onnx.save(model, path)
    return path
