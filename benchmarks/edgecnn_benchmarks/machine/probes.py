"""What really loads on this machine, each loaded in a subprocess: a library that crashes ends only that."""

import ctypes.util
import json
from collections.abc import Iterable
from dataclasses import dataclass

from edgecnn_benchmarks.machine.description import installed_versions
from edgecnn_runtime.backends import SUFFIXES
from edgecnn_runtime.system.own_process import run, run_python

# Seconds; TensorFlow takes five on a good day, and a cold disk more.
_TIMEOUT = 60.0
_NVIDIA_TIMEOUT = 10.0

_LITERT = """
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter
print("[]")
"""
# A provider that was built in may still miss its libraries or its GPU, so each is given a graph of one Identity.
_ONNX_RUNTIME = """
import base64, json, onnxruntime
model = base64.b64decode(
    "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="
)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
def loads(name):
    try:
        return onnxruntime.InferenceSession(model, options, providers=[name]).get_providers()[0] == name
    except Exception:
        return False
names = onnxruntime.get_available_providers()
print(json.dumps([name if loads(name) else name + " (built in, does not load)" for name in names]))
"""
_DELEGATE = """
import sys
try:
    from ai_edge_litert import interpreter
except ImportError:
    from tflite_runtime import interpreter
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.errors import InputError
try:
    Delegate.read({text!r}).load(interpreter)
except InputError as error:
    sys.exit(str(error))
print("[]")
"""
# Delegates that are found where their makers' packages are installed.
KNOWN_DELEGATES = {
    "libedgetpu.so.1": "Coral Edge TPU",
    "libvx_delegate.so": "VeriSilicon NPU, as in i.MX 8M Plus",
    "libethosu_delegate.so": "Ethos-U NPU, as in i.MX 93",
    "libarmnnDelegate.so": "Arm NN",
    "libQnnTFLiteDelegate.so": "Qualcomm NPU",
}
_TENSORFLOW_GPUS = """
import json, tensorflow
print(json.dumps([device.name for device in tensorflow.config.list_physical_devices("GPU")]))
"""

# For each backend of the runtime: the packages that bring it, any of them, and a program that loads it.
_BACKENDS = {
    "litert": (("ai-edge-litert", "tflite-runtime"), _LITERT),
    "onnxruntime": (("onnxruntime", "onnxruntime-gpu"), _ONNX_RUNTIME),
}


@dataclass(frozen=True)
class BackendProbe:
    """One backend of the runtime, tried."""

    name: str
    suffix: str
    # The installed packages that bring it; none: the backend is not installed.
    packages: tuple[str, ...]
    # Why it does not load; None where it does.
    error: str | None
    # Where ONNX Runtime could run a model.
    providers: tuple[str, ...] = ()


@dataclass(frozen=True)
class DelegateProbe:
    """A TFLite delegate, tried: LIBRARY[,key=value…], and why it does not load."""

    text: str
    error: str | None


@dataclass(frozen=True)
class Gpu:
    """The NVIDIA GPUs that the driver shows, and those of them that TensorFlow can use (None: not asked)."""

    devices: tuple[str, ...]
    tensorflow: tuple[str, ...] | None


def probe_backends() -> tuple[BackendProbe, ...]:
    """Try to load every backend of the runtime."""
    return tuple(_probe_backend(name, suffix) for suffix, name in SUFFIXES.items())


def probe_delegates(asked_for: Iterable[str]) -> tuple[DelegateProbe, ...]:
    """Try the delegates that were asked for, and the known ones that are installed."""
    known = [name for name in KNOWN_DELEGATES if _is_found(name)]
    texts = dict.fromkeys([*asked_for, *known])
    return tuple(DelegateProbe(text, load_in_subprocess(_DELEGATE.format(text=text))[1]) for text in texts)


def _is_found(library: str) -> bool:
    """Tell whether the system's loader finds a library, without running what is in it."""
    return ctypes.util.find_library(library.removeprefix("lib").partition(".so")[0]) is not None


def probe_gpu() -> Gpu:
    """Ask the NVIDIA driver for its devices, and TensorFlow for its own only where there are any."""
    try:
        ended = run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            timeout=_NVIDIA_TIMEOUT,
        )
    except OSError:
        return Gpu((), None)
    devices = () if ended.reason else tuple(line.strip() for line in ended.stdout.splitlines() if line.strip())
    if not devices or not installed_versions(("tensorflow",)):
        return Gpu(devices, None)
    listed, _ = load_in_subprocess(_TENSORFLOW_GPUS)
    return Gpu(devices, listed)


def _probe_backend(name: str, suffix: str) -> BackendProbe:
    candidates, program = _BACKENDS[name]
    packages = tuple(installed_versions(candidates))
    if not packages:
        return BackendProbe(name, suffix, (), None)
    providers, error = load_in_subprocess(program)
    return BackendProbe(name, suffix, packages, error, providers)


def load_in_subprocess(program: str, *, timeout: float = _TIMEOUT) -> tuple[tuple[str, ...], str | None]:
    """Run a Python program that prints a JSON list of strings as its last line.

    Returns:
        The list and None; or an empty list and what went wrong.
    """
    try:
        ended = run_python("-c", program, timeout=timeout)
    except OSError as error:
        return (), str(error)
    if ended.limit or ended.crashed:
        return (), ended.reason
    lines = (ended.stderr if ended.code else ended.stdout).strip().splitlines()
    if ended.code or not lines:
        return (), lines[-1] if lines else f"the process ended with exit code {ended.code}"
    try:
        return tuple(json.loads(lines[-1])), None
    except ValueError:
        return (), f"it answered {lines[-1]!r}"
