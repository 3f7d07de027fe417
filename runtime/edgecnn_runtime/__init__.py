"""The device side of edgecnn: open a model file, classify images.

    from edgecnn_runtime import Classifier

    classifier = Classifier.open("mnist_int8.tflite")
    print(classifier.predict("photo.jpg").label)

Importing this package loads numpy and nothing heavier; an interpreter is loaded when a model is opened,
Pillow when an image is decoded.
"""

from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import (
    EdgecnnError,
    GateError,
    ImageError,
    InputError,
    MissingExtraError,
    ModelError,
    SourceError,
)
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Resize
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.smoothing import Smoothing
from edgecnn_runtime.stream import StreamResult, stream
from edgecnn_runtime.version import __version__

__all__ = [
    "Classifier",
    "Colour",
    "EdgecnnError",
    "GateError",
    "ImageError",
    "InputError",
    "InputSpec",
    "Manifest",
    "MissingExtraError",
    "ModelError",
    "Prediction",
    "Resize",
    "Smoothing",
    "SourceError",
    "StreamResult",
    "__version__",
    "stream",
]
