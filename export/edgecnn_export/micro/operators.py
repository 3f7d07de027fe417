"""The methods with which TFLite-Micro's MicroMutableOpResolver adds the operators of a network."""

from collections.abc import Sequence

from edgecnn_export.inspection.targets.tflite_micro import OPERATORS
from edgecnn_runtime.errors import GateError

# The names that do not follow from TFLite's (tensorflow/lite/micro/micro_mutable_op_resolver.h of tflite-micro).
_IRREGULAR = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}


def resolver_methods(operators: Sequence[str]) -> tuple[str, ...]:
    """Return the resolver's method for each operator of a model.

    Raises:
        GateError: TFLite-Micro does not have one of them.

    >>> resolver_methods(["CONV_2D", "FULLY_CONNECTED", "PADV2"])
    ('AddConv2D', 'AddFullyConnected', 'AddPadV2')
    """
    missing = [name for name in operators if name not in OPERATORS]
    if missing:
        raise GateError(
            f"c-source: expected operators that TFLite-Micro has, got {', '.join(missing)}; "
            "train a network without the layers that need them"
        )
    return tuple(f"Add{_IRREGULAR.get(name) or _camel(name)}" for name in operators)


def _camel(name: str) -> str:
    """Write `CONV_2D` as `Conv2D`."""
    return "".join(word if word[0].isdigit() else word.capitalize() for word in name.split("_"))
