"""Keras on TensorFlow, which the converters take."""

import os
from typing import Any

from edgecnn_runtime.errors import MissingExtraError
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
    # Keras would print to stdout, where a command's own result stands.
    keras.config.disable_interactive_logging()
    return keras
