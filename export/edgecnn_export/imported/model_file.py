"""Open a model that somebody else saved, in whichever format it came."""

import contextlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn_export.imported.untrusted_config import check_config
from edgecnn_export.keras_on_tensorflow import import_keras
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.system.file_kinds import check_ends
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.run_folder import RunFolder

if TYPE_CHECKING:
    import keras

# The one file that makes a folder a SavedModel.
SAVED_MODEL_FILE = "saved_model.pb"
SUFFIXES = (".keras", ".h5", ".hdf5")
CONTAINERS = f"a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file or a SavedModel folder"

# A configuration of a network with ten thousand layers has some ten megabytes.
_MAX_CONFIG = 1 << 26


def is_model(path: Path) -> bool:
    """Return whether a path is meant as a model to import, not as a run folder or the model within one."""
    if path.name == RunFolder(path.parent).model.name and RunFolder(path.parent).record.exists():
        return False
    return path.suffix.lower() in SUFFIXES or (path / SAVED_MODEL_FILE).exists()


def open_model(path: Path, *, imgsz: int | None = None) -> "keras.Model":
    """Open a saved model as a Keras 3 model, uncompiled, on float32; nothing in the file is executed.

    Args:
        path: of `CONTAINERS`. What Keras 3 cannot read is read by tf_keras, the Keras 2 of today, and rebuilt.
        imgsz: height and width of the images, where the model takes any.

    Raises:
        InputError: no such file.
        ModelError: damaged, weights without their network, or with parts that are refused.
        MissingExtraError: TensorFlow is not installed.
    """
    if not path.exists():
        raise InputError(f"{path}: not found; expected {CONTAINERS}")
    keras = import_keras()
    if path.is_dir():
        return _from_saved_model(path, imgsz)
    # As it is spelt here, because Keras too goes by it: another reader must not see another file than is checked.
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: expected {CONTAINERS}, got {path.suffix or 'a file without suffix'}; rename it")
    config = _read_config(path)
    check_config(config, path)
    try:
        with native_output_kept():
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras passes on whatever its zip, HDF5 and JSON readers raise, and its layers whatever their arguments are.
    except Exception as error:
        try:
            return _through_keras_2(path, imgsz)
        except ModelError:
            raise
        except Exception as second:
            raise ModelError(
                f"{path}: expected a whole Keras model, got one that cannot be read; Keras 3 says: "
                f"{_first_line(error)}; Keras 2 says: {_first_line(second)}"
            ) from error


def _from_saved_model(folder: Path, imgsz: int | None, *, origin: Path | None = None) -> "keras.Model":
    """Rebuild a SavedModel; messages name `origin`, the user's file, where that is not the folder itself."""
    if not (folder / SAVED_MODEL_FILE).exists():
        raise InputError(f"{folder}: expected a SavedModel folder with {SAVED_MODEL_FILE}, or a run folder")
    from edgecnn_export.imported.graph_layers import keras_model_of
    from edgecnn_export.imported.saved_model import read_saved_model

    with native_output_kept():
        return keras_model_of(read_saved_model(folder, origin=origin), origin or folder, imgsz=imgsz)


def _through_keras_2(path: Path, imgsz: int | None) -> "keras.Model":
    """Load with tf_keras, and rebuild what it computes."""
    import tempfile

    import tensorflow as tf
    import tf_keras

    with native_output_kept(), tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        loaded = tf_keras.models.load_model(path, compile=False, safe_mode=True)
        served = tf.function(
            lambda pixels: loaded(pixels, training=False),
            input_signature=[tf.TensorSpec(loaded.input_shape, tf.float32, name="pixels")],
        )
        module = tf.Module()
        module.model, module.served = loaded, served
        tf.saved_model.save(module, folder, signatures=served)
        return _from_saved_model(Path(folder), imgsz, origin=path)


def _read_config(path: Path) -> Any:
    """Read the configuration of a model file, as JSON, without Keras."""
    try:
        check_ends(path)
        with _config_text(path) as text:
            return json.loads(text)
    except ModelError:
        raise
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: expected a whole Keras model, got a damaged file ({_first_line(error)})") from error


@contextlib.contextmanager
def _config_text(path: Path) -> Iterator[str | bytes]:
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as member:
            content = member.read(_MAX_CONFIG + 1)
            if len(content) > _MAX_CONFIG:
                raise ModelError(f"{path}: expected a configuration of at most {_MAX_CONFIG:,} bytes, got more")
            yield content
        return
    import h5py

    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise ModelError(
                f"{path}: expected a network with its weights, got weights alone; build the network, load them with "
                "model.load_weights() and save it with model.save('model.keras')"
            )
        yield config


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
