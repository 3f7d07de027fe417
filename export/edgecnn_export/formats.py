"""The formats that `edgecnn export` writes: a container and a quantization scheme each."""

import dataclasses
from dataclasses import dataclass

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Scheme

USUAL_OPSET = 17  # of ONNX

# How far a probability may lie from the workstation's at least. Float kernels differ between CPUs only in the order of
# their sums; float16 and integer kernels may round a value to its neighbour, which the layers behind then carry on.
_LEAST_TOLERANCE = {
    Scheme.FLOAT32: 1e-4,
    Scheme.FLOAT16: 5e-3,
    Scheme.DYNAMIC: 2e-2,
    Scheme.INT8: 4 / 256,
    Scheme.INT16X8: 4 / 256,
}


@dataclass(frozen=True)
class Format:
    """One kind of exported file."""

    suffix: str  # of its container, a key of `containers.CONTAINERS`
    scheme: Scheme
    signed: bool = False  # int8 in and int16 out instead of uint8 and float32, in full-integer TFLite

    @property
    def form(self) -> str:
        """What is between the run's name and the suffix in the file's name, such as `int8` or `int8-signed`."""
        return f"{self.scheme}-signed" if self.signed else str(self.scheme)

    @property
    def name(self) -> str:
        """The name on the command line, such as `tflite-int8`."""
        return f"{self.suffix.removeprefix('.')}-{self.form}"

    @property
    def needs_calibration(self) -> bool:
        """Whether the ranges of the activations have to be measured on images."""
        return self.scheme in (Scheme.INT8, Scheme.INT16X8)

    @property
    def is_searched(self) -> bool:
        """Whether an accuracy search finds how to quantize; 16 bits need none."""
        return self.scheme is Scheme.INT8

    @property
    def least_tolerance(self) -> float:
        """Of a probability in the golden check, 0…1, on small networks."""
        return _LEAST_TOLERANCE[self.scheme]


FORMATS = {
    fmt.name: fmt
    for fmt in (
        Format(".tflite", Scheme.FLOAT32),
        Format(".tflite", Scheme.FLOAT16),
        Format(".tflite", Scheme.DYNAMIC),
        Format(".tflite", Scheme.INT8),
        Format(".tflite", Scheme.INT16X8),
        Format(".onnx", Scheme.FLOAT32),
        Format(".onnx", Scheme.FLOAT16),
        Format(".onnx", Scheme.INT8),
    )
}


# The file for micro-controllers, in its two forms: the camera's bytes in, or int8 in, as some NPUs ask.
FULL_INTEGER = FORMATS["tflite-int8"]
FULL_INTEGER_SIGNED = dataclasses.replace(FULL_INTEGER, signed=True)


def choose_formats(
    names: tuple[str, ...] = (), *, int8: bool = False, every: bool = False, io: str = "uint8", c_source: bool = False
) -> tuple[Format, ...]:
    """Resolve the options of the command line, in the order of `FORMATS`.

    Args:
        names: exactly these formats; with none, float32 in both containers.
        int8: also int8 in both containers.
        every: all formats.
        io: what the full-integer TFLite file takes, uint8 or int8.
        c_source: also the full-integer TFLite file, of which C++ source is made.

    Raises:
        InputError: a name that is no format, another `io`, or int8 without a full-integer TFLite file.

    >>> [fmt.name for fmt in choose_formats(int8=True)]
    ['tflite-float32', 'tflite-int8', 'onnx-float32', 'onnx-int8']
    """
    for name in names:
        if name not in FORMATS:
            raise InputError(not_among("format", name, FORMATS))
    if io not in ("uint8", "int8"):
        raise InputError(not_among("io", io, ("uint8", "int8")))
    schemes = {Scheme.INT8} if int8 else set()
    if not names:
        schemes.add(Scheme.FLOAT32)
    chosen = {fmt for fmt in FORMATS.values() if every or fmt.name in names or fmt.scheme in schemes}
    if c_source:
        chosen.add(FULL_INTEGER)
    if io == "int8" and FULL_INTEGER not in chosen:
        raise InputError("io: int8 goes with the full-integer TFLite file, which is not asked for; add --int8")
    signed = {FULL_INTEGER: FULL_INTEGER_SIGNED} if io == "int8" else {}
    return tuple(signed.get(fmt, fmt) for fmt in FORMATS.values() if fmt in chosen)
