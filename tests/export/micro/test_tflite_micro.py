"""TFLite-Micro's interpreter on a trained network: the classes that LiteRT names, and the arena in the manifest."""

import needs
import numpy as np
import pytest
from micro import A_LOGIT_STEP, MicroBackend
from numpy.typing import NDArray

from edgecnn_export.micro.bare_network import bare_network
from edgecnn_runtime import Classifier
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data


@pytest.fixture(scope="module")
def images(exported_run: RunFolder) -> NDArray[np.uint8]:
    """A hundred test images."""
    return np.asarray(open_run_data(exported_run.read_record()).split("test").images[::10])


def test_it_names_the_same_classes_as_litert(exported_run: RunFolder, images: NDArray[np.uint8]) -> None:
    path = exported_run.exported(Scheme.INT8, ".tflite")
    found = MicroBackend(bare_network(path.read_bytes())).infer(images)
    np.testing.assert_allclose(found, LiteRTBackend(path, reference=True).infer(images), atol=A_LOGIT_STEP)
    # XNNPACK, which LiteRT uses by default, rounds an activation up where the reference rounds it down.
    default = Classifier.open(path).predict_proba(images)
    assert np.mean(found.argmax(axis=1) == default.argmax(axis=1)) >= 0.99


def test_the_arena_of_the_manifest_suffices(exported_run: RunFolder) -> None:
    path = exported_run.exported(Scheme.INT8, ".tflite")
    needs.package("tflite_micro", "tflite-micro")
    arena = Classifier.open(path).manifest.arena_bytes
    assert arena is not None
    MicroBackend(path.read_bytes(), arena=arena)
