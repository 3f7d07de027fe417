"""Other people's software on our files: each classifies one image, and a folder as its own documentation does it.

Each class imports its package when it is constructed. `classify` takes uint8 RGB pixels of the model's size and returns
the number of the class; `classify_folder` takes JPEGs of any size and returns one number a file.
"""

import logging
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime import Classifier

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Files:
    """One trained network in every form that is compared."""

    tflite: Path
    tflite_int8: Path
    onnx: Path
    onnx_channels_first: Path
    keras: Path
    height: int
    width: int


class Peer(Protocol):
    """What is asked of each."""

    def classify(self, pixels: Pixels) -> int:
        """Return the class of one image that is already of the model's size."""

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        """Read and classify files."""


class _Loop(ABC):
    """Reads one file after the other with Pillow, as most examples do."""

    def __init__(self, files: Files) -> None:
        self._size = files.width, files.height

    @abstractmethod
    def classify(self, pixels: Pixels) -> int: ...

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        found = []
        for path in paths:
            with Image.open(path) as image:
                small = image.convert("RGB").resize(self._size, Image.Resampling.BILINEAR)
            found.append(self.classify(np.asarray(small)))
        return found


class _Edgecnn:
    """`predict_proba` and `predict_many`, on LiteRT."""

    def __init__(self, files: Files, threads: int) -> None:
        self._classifier, self._workers = Classifier.open(files.tflite, threads=1), threads

    def classify(self, pixels: Pixels) -> int:
        return int(self._classifier.predict_proba(pixels).argmax())

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        labels = self._classifier.manifest.labels
        items = self._classifier.predict_many(paths, workers=self._workers)
        return [labels.index(item.prediction.label) if item.prediction else -1 for item in items]


class _EdgecnnOnnx(_Edgecnn):
    """The same on ONNX Runtime."""

    def __init__(self, files: Files, threads: int) -> None:
        self._classifier, self._workers = Classifier.open(files.onnx, threads=1), threads


class _EdgecnnLoop(_Edgecnn):
    """`predict` on one file after the other: the plain loop that `predict_many` is measured by."""

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        labels = self._classifier.manifest.labels
        return [labels.index(self._classifier.predict(path).label) for path in paths]


class _LiteRt(_Loop):
    """set_tensor, invoke, get_tensor."""

    def __init__(self, files: Files, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        super().__init__(files)
        self._interpreter = Interpreter(str(files.tflite), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._entry = self._interpreter.get_input_details()[0]["index"]
        self._result = self._interpreter.get_output_details()[0]["index"]

    def classify(self, pixels: Pixels) -> int:
        self._interpreter.set_tensor(self._entry, pixels[np.newaxis].astype(np.float32))
        self._interpreter.invoke()
        return int(self._interpreter.get_tensor(self._result).argmax())


class _OnnxRuntime(_Loop):
    """`InferenceSession.run`."""

    def __init__(self, files: Files, threads: int) -> None:
        import onnxruntime

        super().__init__(files)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(files.onnx, options, providers=["CPUExecutionProvider"])
        self._entry = self._session.get_inputs()[0].name

    def classify(self, pixels: Pixels) -> int:
        (probabilities,) = self._session.run(None, {self._entry: pixels[np.newaxis].astype(np.float32)})
        return int(probabilities.argmax())


class _KerasCall(_Loop):
    """The model called with one image."""

    def __init__(self, files: Files, threads: int) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import keras
        import tensorflow as tf

        super().__init__(files)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._keras, self._model = keras, keras.models.load_model(files.keras, compile=False)

    def classify(self, pixels: Pixels) -> int:
        return int(np.asarray(self._model(pixels[np.newaxis].astype(np.float32), training=False)).argmax())


# Images a batch, the default of Keras's loader.
_BATCH = 32


class _KerasPredict(_KerasCall):
    """`predict`: on one image, and on `image_dataset_from_directory` in batches of 32."""

    def classify(self, pixels: Pixels) -> int:
        return int(self._model.predict(pixels[np.newaxis].astype(np.float32), verbose=0).argmax())

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        # The first of one folder; the loader takes them in the order of their names, in batches.
        images = self._keras.utils.image_dataset_from_directory(
            paths[0].parent, labels=None, batch_size=_BATCH, image_size=self._size[::-1], shuffle=False, verbose=False
        ).take(math.ceil(len(paths) / _BATCH))
        numbers = self._model.predict(images, verbose=0).argmax(axis=1)
        return [int(number) for number in numbers[: len(paths)]]


class _MediaPipe:
    """MediaPipe Tasks' ImageClassifier; it chooses its threads itself."""

    def __init__(self, files: Files, threads: int) -> None:
        del threads
        import mediapipe
        from mediapipe.tasks.python import vision

        self._mediapipe = mediapipe
        self._classifier = vision.ImageClassifier.create_from_model_path(str(files.tflite))

    def classify(self, pixels: Pixels) -> int:
        return self._best(self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=pixels))

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        return [self._best(self._mediapipe.Image.create_from_file(str(path))) for path in paths]

    def _best(self, image: object) -> int:
        (head,) = self._classifier.classify(image).classifications
        return int(max(head.categories, key=lambda category: category.score).index)


class _OpenCv:
    """OpenCV's dnn module: `imread`, `blobFromImage`, `forward`."""

    def __init__(self, files: Files, threads: int) -> None:
        import cv2

        cv2.setNumThreads(threads)
        self._cv2, self._size = cv2, (files.width, files.height)
        self._network = cv2.dnn.readNetFromONNX(str(files.onnx_channels_first))

    def classify(self, pixels: Pixels) -> int:
        return self._forward(pixels, reversed_colours=False)

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        return [self._forward(self._cv2.imread(str(path)), reversed_colours=True) for path in paths]

    def _forward(self, pixels: Pixels, *, reversed_colours: bool) -> int:
        blob = self._cv2.dnn.blobFromImage(pixels, 1 / 255, self._size, swapRB=reversed_colours)
        self._network.setInput(blob)
        return int(self._network.forward().argmax())


class _Ultralytics:
    """Ultralytics' predictor on the ONNX file; its threads are those of torch and ONNX Runtime."""

    def __init__(self, files: Files, threads: int) -> None:
        del threads
        # It would install packages and fetch fonts on its own.
        os.environ.update({"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"})
        import ultralytics

        logging.getLogger("ultralytics").setLevel(logging.ERROR)
        self._options = {"imgsz": (files.height, files.width), "device": "cpu", "verbose": False, "save": False}
        self._model = ultralytics.YOLO(str(files.onnx_channels_first), task="classify")

    def classify(self, pixels: Pixels) -> int:
        # It takes arrays as OpenCV has them, blue first.
        (result,) = self._model.predict(np.ascontiguousarray(pixels[..., ::-1]), **self._options)
        return int(result.probs.top1)

    def classify_folder(self, paths: Sequence[Path]) -> list[int]:
        results = self._model.predict([str(path) for path in paths], stream=True, **self._options)
        return [int(result.probs.top1) for result in results]


class _TfliteMicro(_Loop):
    """The micro-controller's interpreter, with reference kernels on a CPU like this, on the int8 file."""

    _ARENA = 16 * 2**20  # bytes

    def __init__(self, files: Files, threads: int) -> None:
        del threads
        from tflite_micro.python.tflite_micro import runtime

        super().__init__(files)
        self._interpreter = runtime.Interpreter.from_file(str(files.tflite_int8), arena_size=self._ARENA)

    def classify(self, pixels: Pixels) -> int:
        self._interpreter.set_input(np.ascontiguousarray(pixels[np.newaxis]), 0)
        self._interpreter.invoke()
        return int(self._interpreter.get_output(0).argmax())


@dataclass(frozen=True)
class Listed:
    """A row: how a peer is called on the page, and what installs it."""

    name: str
    open: Callable[[Files, int], Peer]
    install: str
    folder: bool = True  # whether 2,000 files are done in a reasonable time


PEERS = (
    Listed("edgecnn", _Edgecnn, "edgecnn[litert]"),
    Listed("edgecnn, ONNX", _EdgecnnOnnx, "edgecnn[onnx]"),
    Listed("edgecnn, one file after the other", _EdgecnnLoop, "edgecnn[litert]"),
    Listed("LiteRT", _LiteRt, "ai-edge-litert"),
    Listed("ONNX Runtime", _OnnxRuntime, "onnxruntime"),
    Listed("Keras, the model called", _KerasCall, "keras tensorflow"),
    Listed("Keras `predict`", _KerasPredict, "keras tensorflow"),
    Listed("MediaPipe Tasks", _MediaPipe, "mediapipe"),
    Listed("OpenCV dnn", _OpenCv, "opencv-python-headless"),
    Listed("Ultralytics", _Ultralytics, "ultralytics"),
    Listed("TFLite Micro, int8", _TfliteMicro, "tflite-micro", folder=False),
)
