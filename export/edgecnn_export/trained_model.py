"""Load what was trained: the `model.keras` of a run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.native_output import native_output_kept

if TYPE_CHECKING:
    import keras


def load_trained(path: Path) -> "keras.Model":
    """Load the model of a run in Keras's safe mode, which refuses code inside the file.

    Returns:
        A model from float32 pixels `(N, height, width, channels)`, 0…255, to probabilities `(N, classes)`.

    Raises:
        InputError: missing or damaged.
        MissingExtraError: TensorFlow is not installed.
    """
    if not path.is_file():
        raise InputError(f"{path}: the trained model of the run expected, no such file; train again")
    keras = import_keras()
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras passes on whatever its zip, HDF5 and JSON readers raise.
    except Exception as error:
        raise InputError(f"{path}: a whole Keras model expected; Keras says: {error}") from error


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
    # Keras would print to stdout, where a command's own result stands.
    keras.config.disable_interactive_logging()
    return keras
