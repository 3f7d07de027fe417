"""ONNX Runtime on CUDA answers as it does on the CPU, for every ONNX file of an exported run."""

import needs
import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_benchmarks.machine.description import installed_versions
from edgecnn_export.formats import FORMATS, Format
from edgecnn_runtime import Classifier
from edgecnn_runtime.workstation.run_folder import RunFolder

PACKAGES = {"onnxruntime-gpu", "tensorflow"}
pytestmark = [
    needs.gpus(1),
    needs.mark(installed_versions(PACKAGES).keys() == PACKAGES, needs.Need.PACKAGE, "pip install 'edgecnn[all-gpu]'"),
]

ONNX = {name: fmt for name, fmt in FORMATS.items() if fmt.suffix == ".onnx"}
# Largest difference of a probability: CUDA multiplies float32 with 10 bits of the significand (TF32), and where int8
# rounds the other way an answer moves by a step or two.
TOLERANCE = {"float32": 0.005, "float16": 0.01, "int8": 0.05}


@pytest.mark.parametrize("fmt", ONNX.values(), ids=ONNX)
def test_cuda_answers_as_the_cpu_does(
    fmt: Format, exported_run: RunFolder, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    path = exported_run.exported(fmt.scheme, fmt.suffix)
    images = digits[0][::5]
    cuda, cpu = Classifier.open(path, provider="cuda"), Classifier.open(path)
    assert cuda.backend.provider == "CUDAExecutionProvider"  # type: ignore[attr-defined]
    given, expected = cuda.predict_proba(images), cpu.predict_proba(images)
    np.testing.assert_allclose(given, expected, atol=TOLERANCE[fmt.scheme])
    assert np.mean(given.argmax(axis=1) == expected.argmax(axis=1)) >= 0.995
