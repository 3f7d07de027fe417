"""An engine without a library, for tests of everything around one."""

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import BackendOptions
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import Manifest
from edgecnn_runtime.model_formats import ModelFile


def open_model(model: ModelFile, _: BackendOptions) -> "FakeBackend":
    """Open a file of which only the manifest is read."""
    content = model.manifest
    if content is None:
        raise ModelError(f"{model.path}: expected a file with a manifest, got none; the fake engine runs no other")
    manifest = Manifest.from_json(content)
    return FakeBackend(input_shape=manifest.input.shape, classes=len(manifest.labels), manifest_json=content)


def probe() -> list[str]:
    """Name the one provider."""
    return ["FakeCPU"]


class FakeBackend:
    """Names the class of an image by its mean: class 0 for the darkest, the last for the brightest.

    >>> backend = FakeBackend(input_shape=(2, 2, 1), classes=4)
    >>> backend.infer(np.full((1, 2, 2, 1), 255, np.uint8)).tolist()
    [[0.0, 0.0, 0.0, 1.0]]
    """

    name = "fake"
    provider: str | None = "FakeCPU"

    def __init__(self, *, input_shape: tuple[int, int, int], classes: int, manifest_json: bytes | None = None) -> None:
        self.input_shape, self.classes, self.manifest_json = input_shape, classes, manifest_json

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give probability 1 to class `mean * classes // 256`."""
        numbers = (pixels.reshape(len(pixels), -1).mean(axis=1) * self.classes // 256).astype(np.int64)
        probabilities: NDArray[np.float32] = np.eye(self.classes, dtype=np.float32)[numbers]
        return probabilities

    def another(self) -> "FakeBackend":
        """Return itself: it keeps no state."""
        return self

    def after_fork(self) -> "FakeBackend":
        """Return itself."""
        return self
