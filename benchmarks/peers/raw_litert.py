"""The bare LiteRT loop that others are compared with: set_tensor, invoke, get_tensor."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


def raw_loop(model: Path, images: NDArray[np.uint8]) -> Callable[[int], None]:
    """Return a function that runs image number n, on one thread, with tensors made ready beforehand.

    Args:
        model: a TFLite file that takes pixels 0…255.
        images: uint8 `(N, height, width, channels)`.
    """
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    tensors = [image[np.newaxis].astype(entry["dtype"]) for image in images]

    def run(number: int) -> None:
        interpreter.set_tensor(entry["index"], tensors[number])
        interpreter.invoke()
        interpreter.get_tensor(result)

    return run


def microseconds_a_call(call: Callable[[int], None], *, images: int, calls: int = 200) -> float:
    """Return the mean time of `calls` calls, which go round the images."""
    started = time.perf_counter()
    for number in range(calls):
        call(number % images)
    return (time.perf_counter() - started) / calls * 1e6
