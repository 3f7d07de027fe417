"""The RAM that TFLite-Micro needs for a model: its tensor arena, measured with its Python interpreter.

In a subprocess, `python -m edgecnn_export.tflite.arena FILE`, because that interpreter ends its process instead
of raising an error where an arena is much too small.
"""

import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path

from edgecnn_runtime.system.nameless_file import nameless_file
from edgecnn_runtime.system.own_process import run_python

# Bytes of the arena in which the need is measured; memory that is not used is never touched.
_PLENTY = 256 * 2**20
# Bytes by which an arena is enlarged until it suffices: its alignment.
_STEP = 16
_TRIES = 64
_TIMEOUT = 120.0  # seconds


def measure_arena(content: bytes) -> int | None:
    """Find the arena with which TFLite-Micro's interpreter can be made for a model.

    On a 64-bit machine, where the interpreter's own records are larger than on a microcontroller.

    Args:
        content: a TFLite file.

    Returns:
        Bytes; None where the package tflite-micro is not installed or its interpreter does not run this model.
    """
    if importlib.util.find_spec("tflite_micro") is None:
        return None
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(content)
        ended = run_python("-m", __name__, str(model), timeout=_TIMEOUT)
    return None if ended.reason else int(ended.answer)


def _measure(content: bytes) -> int:
    """Return what `measure_arena` does; RuntimeError where the interpreter does not run the model."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=_PLENTY)
    # It prints what it has allocated, to the descriptor of stderr, and returns it nowhere.
    with nameless_file() as printed:
        os.dup2(printed.fileno(), 2)
        interpreter.print_allocations()
        printed.seek(0)
        total = re.search(rb"Arena allocation total (\d+) bytes", printed.read())
    if total is None:
        raise RuntimeError("the printed allocations tell no total")
    # Planning may need more for a moment than what it leaves behind; so it is tried.
    for size in range(int(total[1]), int(total[1]) + _TRIES * _STEP, _STEP):
        try:
            runtime.Interpreter.from_bytes(content, arena_size=size)
        except RuntimeError:
            continue
        return size
    raise RuntimeError(f"an arena of {total[1].decode()} bytes and some more does not suffice")


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1]).read_bytes()))
