"""The engines that run model files: one row for each, and one file beside this one.

Whoever needs to know something of an engine reads its row. To add an engine, write its file, with `open_model` and
`probe`, and add its row; then `edgecnn doctor`, the benchmark, its report and the tests know it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgecnn_runtime.backends.interface import BackendOptions, EngineFile, Provider
from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError, MissingExtraError


@dataclass(frozen=True)
class SlowScheme:
    """A scheme that an engine is known to run slowly on a CPU."""

    kind: str  # of the pitfall
    scheme: str  # or what the names of several begin with
    # What the backend says that it runs on.
    provider: str
    # Format string of `files`, of the `slowest` of them, and of its `time`.
    sentence: str
    # Whether it is slow only on processors without instructions that multiply int8 directly.
    without_int8_instructions: bool = False


@dataclass(frozen=True)
class Engine:
    """What runs model files."""

    name: str
    title: str
    # Names in `MODEL_FORMATS`.
    formats: tuple[str, ...]
    # Its module beside this one, imported when it is called.
    file: Callable[[], EngineFile]
    # By pip's name, the packages that bring it, each with the module it installs. Any one is enough, the first is
    # preferred; packages that install the same module overwrite each other.
    packages: Mapping[str, str]
    # The providers that it takes, each with the extra of edgecnn that brings it.
    providers: Mapping[Provider, str]
    takes_delegates: bool = False
    # What its backends say where they compute on the CPU.
    cpu_providers: tuple[str, ...] = ()
    slow_schemes: tuple[SlowScheme, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether one of its packages is, found without importing it."""
        from importlib.util import find_spec

        return any(find_spec(module) is not None for module in self.packages.values())

    def extra(self, provider: Provider) -> str:
        """Return the extra of edgecnn that brings it."""
        return self.providers.get(provider, self.providers[Provider.CPU])

    def rivals(self, package: str) -> tuple[str, ...]:
        """Return its other packages that install the same module, so that only one of them may be installed."""
        module = self.packages.get(package)
        return tuple(other for other, theirs in self.packages.items() if theirs == module and other != package)

    def missing(self, provider: Provider) -> MissingExtraError:
        """Return the error that says what installs it."""
        package, *others = self.packages
        instead = next((other for other in others if other not in self.rivals(package)), None)
        return MissingExtraError(self.title, package=package, extra=self.extra(provider), instead=instead)

    def refuses(self, options: BackendOptions) -> str | None:
        """Return the option that it does not take, None where it takes all of them."""
        if options.provider not in self.providers:
            return f"--provider {options.provider}"
        return "--delegate" if options.delegates and not self.takes_delegates else None


def _litert() -> EngineFile:
    from edgecnn_runtime.backends import litert

    return litert


def _onnxruntime() -> EngineFile:
    from edgecnn_runtime.backends import onnxruntime

    return onnxruntime


def _openvino() -> EngineFile:
    from edgecnn_runtime.backends import openvino

    return openvino


# Of several engines for a format, the first that is installed opens it, unless another is asked for.
ENGINES = {
    "litert": Engine(
        "litert",
        "LiteRT",
        formats=("tflite",),
        file=_litert,
        packages={"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"},
        providers={Provider.CPU: "litert"},
        takes_delegates=True,
        cpu_providers=("XNNPACK", "built-in kernels"),
        slow_schemes=(
            SlowScheme(
                "int16x8-reference-kernels",
                "int16x8",
                "built-in kernels",
                "{slowest} takes {time} because LiteRT runs int16x8 on its reference kernels on a CPU, not on XNNPACK; "
                "the format is for NPUs and DSPs that have 16-bit kernels.",
            ),
        ),
    ),
    "onnxruntime": Engine(
        "onnxruntime",
        "ONNX Runtime",
        formats=("onnx",),
        file=_onnxruntime,
        packages={"onnxruntime": "onnxruntime", "onnxruntime-gpu": "onnxruntime"},
        providers={Provider.CPU: "onnx", Provider.CUDA: "onnx-gpu", Provider.TENSORRT: "onnx-gpu"},
        cpu_providers=("CPUExecutionProvider",),
        slow_schemes=(
            SlowScheme(
                "int8-onnx-without-dot-product",
                "int8",
                "CPUExecutionProvider",
                "{files}: this processor has no instruction that multiplies int8 directly (VNNI on x86, dot product on "
                "ARM), and ONNX Runtime's int8 is then often slower than its float32.",
                without_int8_instructions=True,
            ),
        ),
    ),
    "openvino": Engine(
        "openvino",
        "OpenVINO",
        formats=("tflite", "onnx"),
        file=_openvino,
        packages={"openvino": "openvino"},
        providers={Provider.CPU: "openvino"},
        cpu_providers=("CPU",),
    ),
}


def engines_of(format_name: str) -> tuple[Engine, ...]:
    """Return the engines that run a format, the preferred one first."""
    return tuple(engine for engine in ENGINES.values() if format_name in engine.formats)


def engine_for(name: str, format_name: str, file: str) -> Engine:
    """Return the engine that was asked for.

    Args:
        name: of an engine.
        format_name: of the file.
        file: what the message calls it.

    Raises:
        InputError: there is none of this name, or it does not run this format.
    """
    check_engine(name)
    if format_name not in ENGINES[name].formats:
        others = " or ".join(engine.name for engine in engines_of(format_name))
        raise InputError(f"--engine {name}: expected an engine that runs {file}; take {others}")
    return ENGINES[name]


def check_engine(name: str) -> None:
    """Refuse a name that no engine has.

    Raises:
        InputError: with the known ones.
    """
    if name not in ENGINES:
        raise InputError(not_among("--engine", name, ENGINES))


def find_engine(backend_name: str) -> Engine | None:
    """Return the engine of a backend's name, None where it is none of them."""
    named = (engine for engine in ENGINES.values() if backend_name in (engine.name, *engine.packages))
    return next(named, None)


def engine_packages() -> tuple[str, ...]:
    """Return the packages of all engines, by pip's names."""
    return tuple(package for engine in ENGINES.values() for package in engine.packages)
