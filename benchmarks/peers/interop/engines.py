"""The engines that `make interop` opens our files in: what a registry installs, several releases of each.

An engine is a row here and an adapter beside this file, which the engine's own environment runs. `CI` names those that
the ordinary tests use.
"""

from dataclasses import dataclass

TFLITE, ONNX = ".tflite", ".onnx"


@dataclass(frozen=True)
class Release:
    """One release, in an environment of its own."""

    version: str  # "current" for the newest that the registry has
    packages: tuple[str, ...]
    python: str = "3.11"
    without_dependencies: tuple[str, ...] = ()  # installed after the packages, as they are


@dataclass(frozen=True)
class Engine:
    """One engine."""

    name: str
    adapter: str  # the file beside this one, without `.py`
    suffixes: tuple[str, ...]
    releases: tuple[Release, ...]
    registry: str = "pip"  # or "npm"
    answers: bool = True  # False: a compiler, which opens a file and does not run it
    seconds: float = 10.0  # for the images of one file; a slow engine gets no further
    forms: tuple[str, ...] = ()  # those that it is for; () for all
    wants_metadata: bool = False  # opens no file without the official metadata, so that the controls get ours


def _plain(package: str, *versions: str, python: str = "3.11", beside: tuple[str, ...] = ()) -> tuple[Release, ...]:
    """Return releases that need no more than their package, and `beside`."""
    return tuple(
        Release(version, (package if version == "current" else f"{package}=={version}", *beside), python)
        for version in versions
    )


_OLD_NUMPY = ("numpy<2",)

ENGINES = (
    Engine(
        "tflite-runtime",
        "tflite_adapter",
        (TFLITE,),
        (
            *_plain("tflite-runtime", "2.7.0", python="3.9", beside=_OLD_NUMPY),
            *_plain("tflite-runtime", "2.14.0", beside=_OLD_NUMPY),
        ),
    ),
    Engine(
        "TensorFlow's interpreter",
        "tflite_adapter",
        (TFLITE,),
        (
            *_plain("tensorflow-cpu", "2.5.3", python="3.9", beside=("protobuf<3.21",)),
            *_plain("tensorflow-cpu", "2.14.1", "2.17.1", "2.19.1"),
        ),
    ),
    Engine(
        "LiteRT", "tflite_adapter", (TFLITE,), _plain("ai-edge-litert", "1.2.0", "1.4.0", "2.0.3", "2.1.0", "current")
    ),
    Engine(
        "MediaPipe",
        "mediapipe_adapter",
        (TFLITE,),
        (
            # Its own OpenCV wants a screen's libraries, and it brings JAX, which this task does not use.
            Release(
                "0.10.21",
                (
                    "numpy<2",
                    "opencv-python-headless<4.12",
                    "absl-py",
                    "attrs",
                    "flatbuffers",
                    "protobuf<5",
                    "matplotlib",
                ),
                without_dependencies=("mediapipe==0.10.21", "sounddevice", "cffi"),
            ),
            Release(
                "current",
                ("numpy", "opencv-python-headless", "absl-py", "certifi", "flatbuffers", "matplotlib"),
                without_dependencies=("mediapipe", "sounddevice", "cffi"),
            ),
        ),
        wants_metadata=True,
    ),
    Engine("OpenVINO", "openvino_adapter", (TFLITE, ONNX), _plain("openvino", "2024.6.0", "2025.4.1", "2026.4.1")),
    Engine(
        "ONNX Runtime",
        "onnxruntime_adapter",
        (ONNX,),
        (
            *_plain("onnxruntime", "1.15.1", "1.17.3", beside=_OLD_NUMPY),
            *_plain("onnxruntime", "1.20.1", "1.22.1", "current"),
        ),
    ),
    Engine("onnxruntime-web", "browser_adapter", (ONNX,), _plain("onnxruntime-web", "current"), registry="npm"),
    Engine(
        "LiteRT.js",
        "browser_adapter",
        (TFLITE,),
        _plain("@litertjs/core", "current"),
        registry="npm",
    ),
    Engine(
        "OpenCV",
        "opencv_adapter",
        (TFLITE, ONNX),
        (
            *_plain("opencv-python-headless", "4.11.0.86", beside=_OLD_NUMPY),
            *_plain("opencv-python-headless", "current"),
        ),
    ),
    Engine("MNN", "mnn_adapter", (TFLITE, ONNX), _plain("MNN", "3.0.0", "current", beside=("numpy",))),
    Engine(
        "TFLite Micro",
        "tflite_micro_adapter",
        (TFLITE,),
        (Release("current", ("tflite-micro>=0.dev20260101",)),),
    ),
    Engine(
        "Vela",
        "vela_adapter",
        (TFLITE,),
        _plain("ethos-u-vela", "4.5.0", "current"),
        answers=False,
        forms=("int8", "int8-signed", "int8-edgetpu", "int16x8"),
    ),
    Engine(
        "tract",
        "tract_adapter",
        (ONNX,),
        _plain("tract", "current", beside=("numpy",)),
    ),
    Engine(
        "ONNX's reference",
        "onnx_reference_adapter",
        (ONNX,),
        _plain("onnx", "1.16.2", "current"),
    ),
)

# The newest of these say what is right: their labels and probabilities are what all others are compared with.
REFERENCE = {TFLITE: "LiteRT", ONNX: "ONNX Runtime"}

# What the ordinary tests open our files in: three TFLite interpreters older than ours, and two other engines.
CI = {
    "tflite-runtime": ("2.14.0",),
    "LiteRT": ("1.2.0", "2.1.0"),
    "OpenVINO": ("2026.4.1",),
    "ONNX Runtime": ("1.17.3",),
}


def ci_releases() -> list[tuple[Engine, Release]]:
    """Return those of the ordinary tests."""
    return [
        (engine, release)
        for engine in ENGINES
        for release in engine.releases
        if release.version in CI.get(engine.name, ())
    ]
