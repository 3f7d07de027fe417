"""Which versions of the tools made a file."""

from importlib import metadata

_VERSIONED = (
    "edgecnn",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "ai-edge-litert",
    "litert-quantizer",
    "tflite-micro",
)


def tool_versions() -> dict[str, str]:
    """Tell which versions of the tools made the file, those that are installed."""
    installed = {}
    for name in _VERSIONED:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
