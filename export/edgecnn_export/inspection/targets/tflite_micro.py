"""TensorFlow Lite for Microcontrollers: its published operator list, and the types that its kernels take.

The list is that of `python/tflite_micro/python_ops_resolver.cc` in the repository tensorflow/tflite-micro, which holds
every operator that MicroMutableOpResolver can add, as the Python package of 2026-10-23 has them. The rules of types are
the checks in its kernels' Prepare functions (`tensorflow/lite/micro/kernels/{conv_common,depthwise_conv_common,
fully_connected,quantize_common,dequantize_common}.cc`).
"""

from edgecnn_export.formats import Io
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict, by_kind, to_int8
from edgecnn_export.model_graph import FLOATS, Operator
from edgecnn_export.tflite.container import TFLITE

NAME = "tflite-micro"

OPERATORS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD
    FULLY_CONNECTED GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS
    LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU
    RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX
    SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF
    TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
    """.split()  # noqa: SIM905 (a hundred words read better without quotes)
)
CUSTOM_OPERATORS = frozenset({"CIRCULAR_BUFFER", "TFLite_Detection_PostProcess", "ethos-u"})

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
# These take uint8, the type of TensorFlow 1; arithmetic is done on int8 and int16 only.
_TAKE_UINT8 = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "SHAPE"})


def judge(model: InspectedModel) -> Verdict:
    """Judge a file by the list and the types; where it runs, say how many operators that are."""
    graph = model.graph
    obstacles: list[Obstacle] = []
    unknown = [o for o in graph.operators if o.kind not in (CUSTOM_OPERATORS if o.custom else OPERATORS)]
    for group in by_kind(unknown):
        if group[0].custom:
            remedy = "write a kernel for it and register it with AddCustom, or build the model without it"
        else:
            remedy = "build the model without it"
        obstacles.append(Obstacle(group, "not in its operator list", remedy))
    hybrid = [o for o in graph.operators if o.kind in _WEIGHTED and _is_hybrid(model, o)]
    if hybrid:
        obstacles.append(Obstacle(tuple(hybrid), "float activations with int8 weights are refused", to_int8(model)))
    halves = [o for o in graph.operators if o.kind == "DEQUANTIZE" and _input_dtype(model, o) == "float16"]
    if halves:
        remedy = f"{to_int8(model)}, or the float32 file"
        obstacles.append(Obstacle(tuple(halves), "float16 weights are refused", remedy))
    unsigned = [
        o
        for o in graph.operators
        if o.kind not in _TAKE_UINT8 and any(tensor.dtype == "uint8" for tensor in graph.activations_of(o))
    ]
    if unsigned:
        obstacles.append(
            Obstacle(tuple(unsigned), "computes on uint8, its kernels on int8, int16 and float32", to_int8(model))
        )
    open_shapes = [o for o in graph.operators if any(not graph.tensors[number].static for number in o.outputs)]
    if open_shapes:
        remedy = "convert it with fixed sizes, as 'edgecnn export' does"
        obstacles.append(Obstacle(tuple(open_shapes), "the size of its output is open; memory is planned once", remedy))
    if obstacles:
        return Verdict(NAME, Fit.NO, "it does not run", tuple(obstacles))
    summary = f"all {len(graph.operators)} operators are in its list"
    if model.computes_in_float:
        summary += "; in float, without the int8 kernels of CMSIS-NN and ESP-NN"
    return Verdict(NAME, Fit.YES, summary)


def _input_dtype(model: InspectedModel, operator: Operator) -> str | None:
    number = operator.inputs[0] if operator.inputs else None
    return None if number is None else model.graph.tensors[number].dtype


def _is_hybrid(model: InspectedModel, operator: Operator) -> bool:
    """Whether weights are quantized and activations are not."""
    data, weights = (2, 1) if operator.kind == "TRANSPOSE_CONV" else (0, 1)
    if len(operator.inputs) <= max(data, weights):
        return False
    numbers = operator.inputs[data], operator.inputs[weights]
    if None in numbers:
        return False
    dtypes = [model.graph.tensors[number].dtype for number in numbers if number is not None]
    return dtypes[0] in FLOATS and dtypes[1] not in FLOATS


TARGET = Target(NAME, TFLITE, judge, io=Io.INT8)
