"""Keras on TensorFlow, which the converters take, and what they refuse."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from edgecnn_runtime.errors import EdgecnnError, GateError, MissingExtraError
from edgecnn_runtime.system.native_output import native_output_kept


def import_keras() -> Any:
    """Import Keras on TensorFlow, without their start-up messages.

    Raises:
        MissingExtraError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with native_output_kept():
            import keras
            import tensorflow as tf  # noqa: F401 (imported here, where its start-up messages are caught)
    except ImportError as error:
        raise MissingExtraError("export", package="tensorflow", extra="export,litert,onnx") from error
    # Keras would print to stdout, where a command prints its result.
    keras.config.disable_interactive_logging()
    return keras


@contextlib.contextmanager
def converting() -> Iterator[None]:
    """Keep what a converter prints, and raise what it refuses as a `GateError`."""
    refused: Exception | None = None
    with native_output_kept():
        try:
            yield
        except (EdgecnnError, OSError, MemoryError):
            raise
        # Converters, quantizers and checkers raise anything over an operator that they do not know. What they print
        # is then the same once more, over pages.
        except Exception as error:
            refused = error
    if refused is not None:
        raise GateError(
            f"expected a network that the converter takes; it says: {_in_short(refused)}; export another format, or "
            "build the network without that"
        ) from refused


def _in_short(error: Exception) -> str:
    """Return the first thing that a converter says, without where in its own files that is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Of MLIR: '<unknown>:0: error: loc(callsite(fused["Erfinv:", …]))): 'tf.Erfinv' op is neither a custom op nor …'
    said = [match[1] for line in lines if (match := re.search(r"error: (?:.*\): )?(?!failed while)([^()]+)", line))]
    return next(iter([*said, *lines]), type(error).__name__).rstrip(". ")
