"""Models in a subprocess: the same probabilities, and a crash that ends nobody else."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_onnx

from edgecnn_export.proof import inference
from edgecnn_export.proof.inference import infer_in_subprocess
from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.backends.engines import engines_of
from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.workstation.run_folder import RunFolder


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_the_probabilities_are_those_of_this_process(exported_run: RunFolder, suffix: str) -> None:
    path = exported_run.exported(Scheme.INT8, suffix)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), np.uint8)
    np.testing.assert_array_equal(infer_in_subprocess(path, images), open_backend(path).infer(images))


@pytest.mark.parametrize(("reference", "kernels"), [(True, "reference"), (False, "optimized")])
def test_a_crash_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: bool, kernels: str) -> None:
    program = "import os; os.write(2, b'Check failed: multiplier'); os.abort()"
    monkeypatch.setattr(inference, "_PROGRAM", program)
    model, images = tiny_onnx(tmp_path / "m.onnx"), np.zeros((1, 2, 2, 1), np.uint8)
    expected = (
        f"m.onnx: expected a model that runs; on {kernels} kernels the process crashed with SIGABRT: Check failed"
    )
    with pytest.raises(ModelError, match=expected):
        infer_in_subprocess(model, images, reference=reference)


def test_a_file_that_is_refused_says_why(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="expected a whole ONNX file"):
        infer_in_subprocess(path, np.zeros((1, 2, 2, 1), np.uint8))


def test_an_interpreter_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_onnx(tmp_path / "m.onnx")
    for engine in engines_of("onnx"):
        for module in engine.packages.values():
            (tmp_path / f"{module}.py").write_text("raise ImportError('not installed')")
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[onnx\]"'):
        infer_in_subprocess(model, np.zeros((1, 2, 2, 1), np.uint8))


def test_what_never_answers_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(inference, "_TIMEOUT", 0.2)
    with pytest.raises(ModelError, match=r"m\.onnx: expected a model that runs; on optimized kernels no answer"):
        infer_in_subprocess(tiny_onnx(tmp_path / "m.onnx"), np.zeros((1, 2, 2, 1), np.uint8))
