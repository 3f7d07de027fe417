"""TFLite delegates: shared libraries that run operators on other hardware, such as libedgetpu.so.1."""

from dataclasses import dataclass, field
from typing import Any

from edgecnn_runtime.errors import InputError

# What every external delegate exports (tensorflow/lite/delegates/external/external_delegate_interface.h).
_ENTRY = "tflite_plugin_create_delegate"
# Delegates that are found where their makers' packages are installed.
KNOWN_DELEGATES = {
    "libedgetpu.so.1": "Coral Edge TPU",
    "libvx_delegate.so": "VeriSilicon NPU, as in i.MX 8M Plus",
    "libethosu_delegate.so": "Ethos-U NPU, as in i.MX 93",
    "libarmnnDelegate.so": "Arm NN",
    "libQnnTFLiteDelegate.so": "Qualcomm NPU",
}
# A program that tries one, for a subprocess: it fails with the reason as its last line.
DELEGATE_PROBE = """
import sys
from edgecnn_runtime.backends.delegate import Delegate
from edgecnn_runtime.backends.litert import import_interpreter
from edgecnn_runtime.errors import InputError
try:
    Delegate.read({text!r}).load(import_interpreter()[1])
except InputError as error:
    sys.exit(str(error))
print("[]")
"""


@dataclass(frozen=True)
class Delegate:
    """An external delegate: a library, and what it is told.

    >>> Delegate.read("libedgetpu.so.1,device=usb:0")
    Delegate(library='libedgetpu.so.1', options={'device': 'usb:0'})
    """

    library: str  # a path, or a name that the system's loader finds
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Delegate":
        """Read `LIBRARY[,key=value…]`.

        Raises:
            InputError: no library, or an option without a value.
        """
        library, *options = text.split(",")
        pairs = [option.partition("=") for option in options]
        wrong = [option for option, (key, equals, _) in zip(options, pairs, strict=True) if not key or not equals]
        if not library.strip() or wrong:
            raise InputError(f"--delegate: expected LIBRARY or LIBRARY,key=value,…, got {text!r}")
        return cls(library.strip(), {key.strip(): value.strip() for key, _, value in pairs})

    def load(self, litert: Any) -> Any:
        """Load the library.

        Args:
            litert: the module of the interpreter.

        Raises:
            InputError: missing, no delegate, or it does not find its hardware.
        """
        import ctypes

        try:
            # First without the interpreter, whose object for a delegate complains when it is taken down half made.
            getattr(ctypes.CDLL(self.library), _ENTRY)
            return litert.load_delegate(self.library, self.options)
        # dlopen's answer, the delegate's own refusal, a library without the functions of a delegate.
        except (OSError, ValueError, AttributeError) as error:
            reason = str(error).strip() or "it refuses, as delegates do that do not find their hardware"
            raise InputError(
                f"--delegate {self.library}: expected the library of a TFLite delegate, one that finds its hardware; "
                f"{reason}"
            ) from error
