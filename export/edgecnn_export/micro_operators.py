"""The operators that TFLite-Micro has, by the names of TFLite and of its resolver."""

from collections.abc import Sequence

from edgecnn_runtime.errors import GateError

# The methods `Add…` of MicroMutableOpResolver for TFLite's own operators
# (tensorflow/lite/micro/micro_mutable_op_resolver.h of tflite-micro, 2025).
_METHODS = """
    Abs Add AddN ArgMax ArgMin AssignVariable AveragePool2D BatchMatMul BatchToSpaceNd BroadcastArgs BroadcastTo
    CallOnce Cast Ceil Concatenation Conv2D Cos CumSum DepthToSpace DepthwiseConv2D Dequantize Div Elu
    EmbeddingLookup Equal Exp ExpandDims Fill Floor FloorDiv FloorMod FullyConnected Gather GatherNd Greater
    GreaterEqual HardSwish If L2Normalization L2Pool2D LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr
    Logistic LogSoftmax Maximum MaxPool2D Mean Minimum MirrorPad Mul Neg NotEqual Pack Pad PadV2 Prelu Quantize
    ReadVariable ReduceMax Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor Round Rsqrt SelectV2 Shape Sin
    Slice Softmax SpaceToBatchNd SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze StridedSlice Sub
    Sum Svdf Tanh Transpose TransposeConv UnidirectionalSequenceLSTM Unpack VarHandle While ZerosLike
"""
_METHOD_OF = {method.lower(): method for method in _METHODS.split()}


def resolver_methods(operators: Sequence[str]) -> tuple[str, ...]:
    """Return the resolver's method for each operator of a model.

    Raises:
        GateError: TFLite-Micro does not have one of them.

    >>> resolver_methods(["CONV_2D", "FULLY_CONNECTED"])
    ('AddConv2D', 'AddFullyConnected')
    """
    missing = [name for name in operators if _squeezed(name) not in _METHOD_OF]
    if missing:
        raise GateError(
            f"c-source: operators that TFLite-Micro has expected, got {', '.join(missing)}; "
            "train a network without the layers that need them"
        )
    return tuple(f"Add{_METHOD_OF[_squeezed(name)]}" for name in operators)


def _squeezed(operator: str) -> str:
    """Write `CONV_2D` as `conv2d`, under which the method `AddConv2D` is found."""
    return operator.replace("_", "").lower()
