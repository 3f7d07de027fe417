"""The golden check passes with other kernels that are right, and not with wrong ones or wrong pixels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_export.containers import Container
from edgecnn_export.formats import FORMATS
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.proof.parity import golden_tolerance
from edgecnn_export.tflite import container as tflite_container
from edgecnn_export.tflite.container import TFLITE
from edgecnn_export.tflite.flatbuffer import pack, unpack
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.golden import compare_golden, golden_images
from edgecnn_runtime.manifest import GoldenCheck, Scheme
from edgecnn_runtime.workstation.run_folder import RunFolder

ROUNDED = [fmt for fmt in FORMATS.values() if fmt.scheme in (Scheme.INT8, Scheme.DYNAMIC)]
IMAGES = np.zeros((4, 2, 2, 1), np.uint8)
HALF = np.full((4, 2), 0.5, np.float32)


def shifted(model: Path, images: NDArray[np.uint8], *, reference: bool) -> NDArray[np.float32]:
    """Kernels that give probabilities off by 0.03."""
    assert reference
    return np.repeat([[0.47, 0.53]], len(images), axis=0).astype(np.float32)


def refused(model: Path, images: NDArray[np.uint8], *, reference: bool) -> NDArray[np.float32]:
    raise ModelError("expected an operator that the reference has")


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        (0.0, 4 / 256),
        (0.03, 0.06),  # twice the difference
        (0.2, 0.15),  # and no more than what tells wrong pixels
    ],
)
def test_the_tolerance_follows_the_kernels(shift: float, expected: float) -> None:
    others = HALF + np.float32(shift)
    assert golden_tolerance(4 / 256, HALF, others) == pytest.approx(expected, abs=1e-4)


def test_without_other_kernels_the_tolerance_is_the_least() -> None:
    assert golden_tolerance(2e-2, HALF) == 2e-2


@pytest.mark.parametrize(
    ("container", "scheme", "kernels", "compared"),
    [
        (TFLITE, Scheme.INT8, shifted, True),
        (TFLITE, Scheme.DYNAMIC, shifted, True),
        (TFLITE, Scheme.INT16X8, shifted, False),  # where all kernels round alike
        (TFLITE, Scheme.INT8, refused, False),
        (ONNX, Scheme.INT8, shifted, False),  # ONNX Runtime has one set of kernels
    ],
)
def test_kernels_that_round_differently_are_compared(
    container: Container,
    scheme: Scheme,
    kernels: Callable[..., NDArray[np.float32]],
    compared: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tflite_container, "infer_in_subprocess", kernels)
    others = container.on_other_kernels(Path(f"m{container.format.suffix}"), scheme, IMAGES)
    assert (others is not None) is compared


def golden(path: Path) -> tuple[GoldenCheck, NDArray[np.uint8]]:
    manifest = Classifier.open(path).manifest
    assert manifest.golden is not None
    return manifest.golden, golden_images(manifest.input)


@pytest.mark.parametrize("name", [fmt.name for fmt in ROUNDED if fmt.suffix == ".tflite"])
def test_other_kernels_pass(exported_run: RunFolder, name: str) -> None:
    path = exported_run.exported(FORMATS[name].scheme, ".tflite")
    check, images = golden(path)
    assert compare_golden(LiteRTBackend(path, reference=True).infer(images), check).passed


@pytest.mark.parametrize("name", [fmt.name for fmt in ROUNDED])
def test_wrong_pixels_fail(exported_run: RunFolder, name: str) -> None:
    """Pixels from 0…1 where the network was trained on -1…1, and a picture that is one pixel to the right."""
    path = exported_run.exported(FORMATS[name].scheme, FORMATS[name].suffix)
    check, images = golden(path)
    backend = open_backend(path)
    assert compare_golden(backend.infer(images), check).passed
    for wrong in (images // 2 + 128, np.roll(images, 1, axis=2)):
        assert not compare_golden(backend.infer(wrong), check).passed


def test_a_kernel_that_leaves_channels_out_fails(exported_run: RunFolder, tmp_path: Path) -> None:
    """As one does that takes eight channels at a time and forgets the last eight of 64."""
    path = exported_run.exported(Scheme.INT8, ".tflite")
    check, images = golden(path)
    model = unpack(path.read_bytes())
    graph = model.subgraphs[0]
    kernel = next(tensor for tensor in graph.tensors if tuple(tensor.shape) == (64, 3, 3, 32))
    weights = np.array(model.buffers[kernel.buffer].data).reshape(64, -1)
    weights[-8:] = 0
    model.buffers[kernel.buffer].data = weights.reshape(-1)
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(pack(model))
    assert not compare_golden(open_backend(broken).infer(images), check).passed
