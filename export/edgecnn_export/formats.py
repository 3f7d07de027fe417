"""The formats that `edgecnn export` writes: a container and a quantization scheme each."""

import dataclasses
import enum
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


class Io(enum.StrEnum):
    """What goes into an int8 TFLite file and comes out, and so how its last layer computes."""

    UINT8 = "uint8"  # pixels in, float32 probabilities out; the last layer computes in float32
    # pixel - 128 in, and integers throughout. From the last weights on 16 bits, in which no two classes tie; int16 out.
    INT8 = "int8"
    EDGE_TPU = "edgetpu"  # pixel - 128 in, int8 throughout and out


_FORM_OF_IO = {Io.UINT8: "", Io.INT8: "-signed", Io.EDGE_TPU: "-edgetpu"}


@dataclass(frozen=True)
class Format:
    """One kind of exported file."""

    suffix: str  # of its container, a key of `containers.CONTAINERS`
    scheme: Scheme
    io: Io = Io.UINT8  # of int8 TFLite

    @property
    def form(self) -> str:
        """What is between the run's name and the suffix in the file's name, such as `int8` or `int8-signed`."""
        return f"{self.scheme}{_FORM_OF_IO[self.io]}"

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


INT8_TFLITE = FORMATS["tflite-int8"]
# Integers throughout, for processors that know nothing else; C++ source is made of it.
ALL_INTEGER = dataclasses.replace(INT8_TFLITE, io=Io.INT8)


def choose_formats(
    names: tuple[str, ...] = (), *, int8: bool = False, every: bool = False, io: str = "uint8", c_source: bool = False
) -> tuple[Format, ...]:
    """Resolve the options of the command line, in the order of `FORMATS`.

    Args:
        names: exactly these formats; with none, float32 in both containers.
        int8: also int8 in both containers.
        every: all formats.
        io: an `Io`: the form of the int8 TFLite file.
        c_source: also the all-integer TFLite file, of which C++ source is made.

    Raises:
        InputError: a name that is no format, another `io`, or one without an int8 TFLite file.

    >>> [fmt.name for fmt in choose_formats(int8=True)]
    ['tflite-float32', 'tflite-int8', 'onnx-float32', 'onnx-int8']
    """
    for name in names:
        if name not in FORMATS:
            raise InputError(not_among("format", name, FORMATS))
    if io not in list(Io):
        raise InputError(not_among("io", io, Io))
    schemes = {Scheme.INT8} if int8 else set()
    if not names:
        schemes.add(Scheme.FLOAT32)
    chosen = {fmt for fmt in FORMATS.values() if every or fmt.name in names or fmt.scheme in schemes}
    if INT8_TFLITE not in chosen and io not in (Io.UINT8, Io.INT8 if c_source else None):
        raise InputError(f"io: {io} goes with the int8 TFLite file, which is not asked for; add --int8")
    forms = dict.fromkeys([Io(io)] if INT8_TFLITE in chosen else [])
    if c_source:
        forms[Io.INT8] = None
    int8_tflite = [dataclasses.replace(INT8_TFLITE, io=form) for form in forms]
    return tuple(
        each
        for fmt in FORMATS.values()
        for each in (int8_tflite if fmt == INT8_TFLITE else [fmt] if fmt in chosen else [])
    )
