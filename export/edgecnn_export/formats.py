"""The formats that `edgecnn export` writes: a container and a quantization scheme each."""

from dataclasses import dataclass

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Scheme


@dataclass(frozen=True)
class Format:
    """One kind of exported file."""

    suffix: str  # ".tflite" or ".onnx"
    scheme: Scheme

    @property
    def name(self) -> str:
        """The name on the command line, such as `tflite-int8`."""
        return f"{self.suffix.removeprefix('.')}-{self.scheme}"

    @property
    def needs_calibration(self) -> bool:
        """Whether the ranges of the activations have to be measured on images."""
        return self.scheme is Scheme.INT8


FORMATS = {
    fmt.name: fmt
    for fmt in (
        Format(".tflite", Scheme.FLOAT32),
        Format(".tflite", Scheme.FLOAT16),
        Format(".tflite", Scheme.DYNAMIC),
        Format(".tflite", Scheme.INT8),
        Format(".onnx", Scheme.FLOAT32),
        Format(".onnx", Scheme.FLOAT16),
        Format(".onnx", Scheme.INT8),
    )
}


def choose_formats(names: tuple[str, ...] = (), *, int8: bool = False, every: bool = False) -> tuple[Format, ...]:
    """Resolve the options of the command line, in the order of `FORMATS`.

    Args:
        names: exactly these formats; with none, float32 in both containers.
        int8: also int8 in both containers.
        every: all formats.

    Raises:
        InputError: a name that is no format.

    >>> [fmt.name for fmt in choose_formats(int8=True)]
    ['tflite-float32', 'tflite-int8', 'onnx-float32', 'onnx-int8']
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise InputError(f"format: one of {', '.join(FORMATS)} expected, got {', '.join(unknown)}")
    schemes = {Scheme.INT8} if int8 else set()
    if not names:
        schemes.add(Scheme.FLOAT32)
    return tuple(fmt for fmt in FORMATS.values() if every or fmt.name in names or fmt.scheme in schemes)
