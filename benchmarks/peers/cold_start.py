"""Process start to first label: the runtime beside a bare script for LiteRT, and beside the same through Keras."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from interleaved import interleave, ratio

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate

_ROUNDS = 11
_PEAK = """
from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes
print(peak_memory_bytes())
"""
_RUNTIME = """
import sys
from edgecnn_runtime import Classifier
print(Classifier.open(sys.argv[1]).predict(sys.argv[2]).label, flush=True)
"""
# What somebody writes by hand for this one model, and for pictures that need no more than a resize.
_BARE = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
_, height, width, channels = entry["shape"]
with Image.open(sys.argv[2]) as image:
    image = image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
interpreter.set_tensor(entry["index"], np.asarray(image).reshape(entry["shape"]).astype(entry["dtype"]))
interpreter.invoke()
print(int(interpreter.get_tensor(result["index"])[0].argmax()), flush=True)
"""
_KERAS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
from PIL import Image
model = keras.models.load_model(sys.argv[1], compile=False)
pixels = np.asarray(Image.open(sys.argv[2]).convert("L"), np.float32)[None, :, :, None]
print(int(model.predict(pixels, verbose=0)[0].argmax()), flush=True)
"""


@dataclass(frozen=True)
class ColdStart:
    """Seconds from process start to the first label, and the peak memory of that process in MB (10^6 bytes)."""

    seconds: dict[str, Estimate]
    megabytes: dict[str, Estimate]
    litert_to_bare_seconds: Estimate
    keras_to_litert_seconds: Estimate
    keras_to_litert_memory: Estimate


def measure_cold_start(*, litert: Path, onnx: Path, keras: Path, picture: Path) -> ColdStart:
    """Start each in a fresh process, interleaved; the first start of each fills the file cache and is not counted."""
    programs = {
        "a bare script for LiteRT": (_BARE, litert),
        "LiteRT": (_RUNTIME, litert),
        "ONNX Runtime": (_RUNTIME, onnx),
        "Keras": (_KERAS, keras),
    }
    peaks: dict[str, list[float]] = {name: [] for name in programs}

    def start(name: str) -> float:
        program, model = programs[name]
        command = [sys.executable, "-c", program + _PEAK, str(model), str(picture)]
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None  # asked for in Popen
            label = process.stdout.readline()
            seconds = time.perf_counter() - started
            peak = process.stdout.readline()
        if not label or not peak:
            raise RuntimeError(f"{name}: no label")
        peaks[name].append(int(peak) / 1e6)
        return seconds

    figures = interleave({name: (lambda name=name: start(name)) for name in programs}, rounds=_ROUNDS)
    return ColdStart(
        seconds={name: median_estimate(values) for name, values in figures.items()},
        megabytes={name: median_estimate(values) for name, values in peaks.items()},
        litert_to_bare_seconds=ratio(figures["LiteRT"], figures["a bare script for LiteRT"]),
        keras_to_litert_seconds=ratio(figures["Keras"], figures["LiteRT"]),
        keras_to_litert_memory=ratio(peaks["Keras"], peaks["LiteRT"]),
    )
