"""Which CUDA packages were built for, and which is there: read from files of packages that look installed."""

from pathlib import Path

import pytest

from edgecnn_benchmarks.machine.cuda import Cuda, find_cuda

ONNX_RUNTIME_13 = ("onnxruntime-gpu", "onnxruntime/capi/build_and_package_info.py", "cuda_version = '13.0'\n")
ONNX_RUNTIME_12 = ("onnxruntime-gpu", "onnxruntime/capi/build_and_package_info.py", "cuda_version = '12.8'\n")
ONNX_RUNTIME_OLD = ("onnxruntime-gpu", "onnxruntime/capi/version_info.py", "")
TENSORFLOW = (
    "tensorflow",
    "tensorflow/python/platform/build_info.py",
    "build_info = OrderedDict([('cpu_compiler', 'clang'), ('cuda_version', '12.5.1'), ('cudnn_version', '9')])\n",
)
TENSORFLOW_CPU = (
    "tensorflow",
    "tensorflow/python/platform/build_info.py",
    "build_info = OrderedDict([('is_cuda_build', False)])",
)
CUBLAS_12 = ("nvidia-cublas-cu12", "nvidia/cublas/lib/libcublas.so.12", "")
CUBLAS_13 = ("nvidia-cublas", "nvidia/cu13/lib/libcublas.so.13", "")
CUBLAS_WINDOWS = ("nvidia-cublas-cu12", "nvidia/cublas/bin/cublas64_12.dll", "")

ENVIRONMENTS = {
    "nothing": ((), None, Cuda({}, ())),
    "one CUDA": (
        (ONNX_RUNTIME_12, TENSORFLOW, CUBLAS_12),
        None,
        Cuda({"onnxruntime-gpu": 12, "tensorflow": 12}, (12,)),
    ),
    "two": ((ONNX_RUNTIME_13, TENSORFLOW, CUBLAS_12), None, Cuda({"onnxruntime-gpu": 13, "tensorflow": 12}, (12,))),
    "both installed": ((CUBLAS_13, CUBLAS_12), None, Cuda({}, (12, 13))),
    "the system's": ((ONNX_RUNTIME_13,), "libcublas.so.13", Cuda({"onnxruntime-gpu": 13}, (13,))),
    "Windows": ((CUBLAS_WINDOWS,), None, Cuda({}, (12,))),
    "no CUDA build": ((TENSORFLOW_CPU, ONNX_RUNTIME_OLD), None, Cuda({}, ())),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_cuda_of_packages(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages, system, expected = ENVIRONMENTS[name]
    for package, file, text in packages:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
        metadata = tmp_path / f"{package.replace('-', '_')}-9.9.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.9\n")
        (metadata / "RECORD").write_text(f"{file},,\n")
    # Only these are installed.
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr("ctypes.util.find_library", lambda library: {"cublas": system}[library])
    assert find_cuda() == expected
