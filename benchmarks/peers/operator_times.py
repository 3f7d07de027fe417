"""Where the time of a TFLite file goes in LiteRT, operator by operator.

    python benchmarks/peers/operator_times.py runs/mnist/export/mnist_int8.tflite other.tflite

LiteRT's Python package has no profiler. So the graph is cut behind every operator, all cuts of a file take turns on one
thread, and an operator's time is the difference to the cut before it. XNNPACK fuses neighbours and lays memory out
anew, so that a difference may be negative; what has accumulated is the steadier figure.
"""

import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edgecnn_export.tflite.flatbuffer import operator_name, pack, unpack

_ROUNDS = 40
# Every so many operators, and all of the first and the last ones.
_STEP, _ENDS = 6, 5


def main() -> None:
    """Print a table for each file that the command line names."""
    for path in map(Path, sys.argv[1:]):
        print(f"{path}\n{'operator':>28}  {'output':18} {'µs until here':>14} {'µs':>8}")
        before = 0.0
        for number, kind, shape, microseconds in operator_times(path.read_bytes()):
            print(f"{number:4d} {kind:>23}  {shape:18} {microseconds:14.0f} {microseconds - before:+8.0f}")
            before = microseconds


def operator_times(content: bytes) -> list[tuple[int, str, str, float]]:
    """Return number, kind and output shape of operators, and the microseconds of the graph up to each (lower third)."""
    count = len(unpack(content).subgraphs[0].operators)
    numbers = [n for n in range(count) if n % _STEP == 0 or n < _ENDS or n >= count - _ENDS]
    names, interpreters = [], []
    for number in numbers:
        model = unpack(content)
        graph = model.subgraphs[0]
        last = graph.operators[number]
        graph.operators, graph.outputs = graph.operators[: number + 1], np.array([last.outputs[0]], np.int32)
        model.signatureDefs = model.metadata = None
        interpreter = Interpreter(model_content=pack(model), num_threads=1)
        interpreter.allocate_tensors()
        pixels = interpreter.get_input_details()[0]
        image = np.random.default_rng(0).integers(0, 128, pixels["shape"])
        interpreter.set_tensor(pixels["index"], image.astype(pixels["dtype"]))
        shape = "x".join(map(str, graph.tensors[last.outputs[0]].shape.tolist()))
        names.append((number, operator_name(model, last), shape))
        interpreters.append(interpreter)
    seconds = np.empty((_ROUNDS, len(interpreters)))
    for turn in range(_ROUNDS):
        for place, interpreter in enumerate(interpreters):
            started = time.perf_counter()
            interpreter.invoke()
            seconds[turn, place] = time.perf_counter() - started
    return [(*name, 1e6 * float(value)) for name, value in zip(names, np.quantile(seconds, 1 / 3, axis=0), strict=True)]


if __name__ == "__main__":
    main()
