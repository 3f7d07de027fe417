"""The `model.keras` of a run, loaded with the Keras of whoever needs it; nothing here imports one."""

from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.system.native_output import native_output_kept


def load_trained(keras: Any, path: Path) -> Any:
    """Load the model of a run in Keras's safe mode, which refuses code inside the file.

    Args:
        keras: the module.
        path: of the model.

    Returns:
        A model from float32 pixels `(N, height, width, channels)`, 0…255, to probabilities `(N, classes)`.

    Raises:
        InputError: missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: not found; expected the trained model of the run; train again")
    try:
        with native_output_kept():
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras passes on whatever its zip, HDF5 and JSON readers raise.
    except Exception as error:
        raise InputError(f"{path}: expected a whole Keras model; Keras says: {error}") from error
