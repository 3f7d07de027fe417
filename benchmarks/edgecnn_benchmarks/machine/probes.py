"""What really loads on this machine, each loaded in a subprocess: a library that crashes ends only that."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from edgecnn_benchmarks.machine.cuda import find_library
from edgecnn_benchmarks.machine.description import installed_versions
from edgecnn_runtime.backends.delegate import DELEGATE_PROBE, KNOWN_DELEGATES
from edgecnn_runtime.backends.engines import ENGINES, Engine
from edgecnn_runtime.model_formats import MODEL_FORMATS
from edgecnn_runtime.system.own_process import run, run_python

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
    return tuple(DelegateProbe(text, load_in_subprocess(DELEGATE_PROBE.format(text=text))[1]) for text in texts)


def _is_found(library: str) -> bool:
    """Tell whether the system's loader finds a library, without running what is in it."""
    return find_library(library.removeprefix("lib").partition(".so")[0]) is not None


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


def _probe_engine(engine: Engine) -> EngineProbe:
    suffixes = tuple(MODEL_FORMATS[name].suffix for name in engine.formats)
    packages = tuple(installed_versions(engine.packages))
    if not packages:
        return EngineProbe(engine.name, suffixes, (), None)
    providers, error = load_in_subprocess(_ENGINE.format(module=engine.file().__name__))
    return EngineProbe(engine.name, suffixes, packages, error, providers)


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
