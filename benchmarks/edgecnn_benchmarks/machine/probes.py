"""What really loads on this machine, each tried in a process of its own: a library that crashes kills only that."""

import ctypes.util
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from edgecnn_benchmarks.machine.description import installed_versions
from edgecnn_runtime.backends.delegate import DELEGATE_PROBE, KNOWN_DELEGATES
from edgecnn_runtime.backends.engines import ENGINES, Engine
from edgecnn_runtime.model_formats import MODEL_FORMATS

# Seconds; TensorFlow takes five on a good day, and a cold disk more.
_TIMEOUT = 60.0
_NVIDIA_TIMEOUT = 10.0

_ENGINE = """
import json
from {module} import probe
print(json.dumps(list(probe())))
"""
_TENSORFLOW_GPUS = """
import json, tensorflow
print(json.dumps([device.name for device in tensorflow.config.list_physical_devices("GPU")]))
"""


@dataclass(frozen=True)
class EngineProbe:
    """One engine of the runtime, tried."""

    name: str
    # Of the files that it runs.
    suffixes: tuple[str, ...]
    # The installed packages that bring it; none: the engine is not installed.
    packages: tuple[str, ...]
    # Why it does not load; None where it does.
    error: str | None
    # Where it could run a model, if it has a choice.
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


def probe_engines() -> tuple[EngineProbe, ...]:
    """Try to load every engine of the runtime."""
    return tuple(_probe_engine(engine) for engine in ENGINES.values())


def probe_delegates(asked_for: Iterable[str]) -> tuple[DelegateProbe, ...]:
    """Try the delegates that were asked for, and the known ones that are installed."""
    known = [name for name in KNOWN_DELEGATES if _is_found(name)]
    texts = dict.fromkeys([*asked_for, *known])
    return tuple(DelegateProbe(text, run_alone(DELEGATE_PROBE.format(text=text))[1]) for text in texts)


def _is_found(library: str) -> bool:
    """Tell whether the system's loader finds a library, without running what is in it."""
    return ctypes.util.find_library(library.removeprefix("lib").partition(".so")[0]) is not None


def probe_gpu() -> Gpu:
    """Ask the NVIDIA driver for its devices, and TensorFlow for its own only where there are any."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Gpu((), None)
    devices = tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())
    if not devices or not installed_versions(("tensorflow",)):
        return Gpu(devices, None)
    listed, _ = run_alone(_TENSORFLOW_GPUS)
    return Gpu(devices, listed)


def _probe_engine(engine: Engine) -> EngineProbe:
    suffixes = tuple(MODEL_FORMATS[name].suffix for name in engine.formats)
    packages = tuple(installed_versions(engine.packages))
    if not packages:
        return EngineProbe(engine.name, suffixes, (), None)
    providers, error = run_alone(_ENGINE.format(module=engine.file().__name__))
    return EngineProbe(engine.name, suffixes, packages, error, providers)


def run_alone(program: str, *, timeout: float = _TIMEOUT) -> tuple[tuple[str, ...], str | None]:
    """Run a Python program that prints a JSON list of strings as its last line.

    Returns:
        The list and None; or an empty list and what went wrong.
    """
    try:
        # -P: a file named as a library in the current folder is not what is asked about.
        ran = subprocess.run(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return (), f"no answer after {timeout:.0f} s"
    if ran.returncode < 0:
        return (), f"it crashed with {signal.Signals(-ran.returncode).name}"
    lines = (ran.stdout if ran.returncode == 0 else ran.stderr).strip().splitlines()
    if ran.returncode or not lines:
        return (), lines[-1] if lines else f"it ended with exit code {ran.returncode}"
    try:
        return tuple(json.loads(lines[-1])), None
    except ValueError:
        return (), f"it answered {lines[-1]!r}"
