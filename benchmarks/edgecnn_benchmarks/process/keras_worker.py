"""The measured process of a Keras model, called in one of the two ways that people call it in.

    python -m edgecnn_benchmarks.process.keras_worker call|predict

It answers what `worker` answers; TensorFlow is imported while it opens the model, and never in another process.
"""

import dataclasses
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_benchmarks.process.worker import main
from edgecnn_runtime.errors import MissingExtraError
from edgecnn_runtime.workstation.run_folder import RunFolder


class KerasModel:
    """The `model.keras` of a run: `model(pixels, training=False)`, or `model.predict(pixels)`."""

    def __init__(self, *, model: str, threads: int, way: str, opening: dict[str, Any] | None = None) -> None:
        del opening  # of model files
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            import keras
            import tensorflow as tf
        except ImportError as error:
            raise MissingExtraError("Keras", package="tensorflow", extra="train") from error
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._record = RunFolder(Path(model).parent).read_record()
        self._model = keras.models.load_model(model, compile=False, safe_mode=True)
        self._way = way
        self._provider = f"{keras.backend.backend()} {tf.__version__}, CPU"
        if tf.config.list_physical_devices("GPU"):
            self._provider = f"{keras.backend.backend()} {tf.__version__}, GPU"

    def facts(self) -> dict[str, Any]:
        """Tell what the record of the run says about the model."""
        return {
            "labels": self._record.labels,
            "input": dataclasses.asdict(self._record.input),
            "scheme": "float32",
            "backend": f"keras {self._way}",
            "provider": self._provider,
            "assumed": (),
        }

    def predict_proba(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of one image `(height, width, channels)` or of a batch of them."""
        batch = (pixels if pixels.ndim == 4 else pixels[np.newaxis]).astype(np.float32)
        if self._way == "predict":
            rows: NDArray[np.float32] = self._model.predict(batch, verbose=0)
        else:
            rows = np.asarray(self._model(batch, training=False))
        return rows if pixels.ndim == 4 else rows[0]


if __name__ == "__main__":
    main(partial(KerasModel, way=sys.argv[1]))
