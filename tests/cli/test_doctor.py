"""`edgecnn doctor` as a user runs it, on this installation and on ones made to look broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs

from edgecnn_runtime.backends.engines import ENGINES


def doctor(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-m", "edgecnn", "doctor", *options],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def install_fake(folder: Path, package: str) -> None:
    """Make a package look installed, for a process that has `folder` on its PYTHONPATH."""
    metadata = folder / f"{package.replace('-', '_')}-9.9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 9.9\n")


def test_this_installation(tmp_path):
    done = doctor(EDGECNN_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    for part in [
        "Python",
        "numpy",
        "litert (*.tflite): ",
        "onnxruntime (*.onnx): ",
        "int8",
        "devices to train on: ",
        str(tmp_path),
    ]:
        assert part in done.stdout


def test_json_is_one_document(tmp_path):
    done = doctor("--json", EDGECNN_HOME=str(tmp_path))
    document = json.loads(done.stdout)
    assert document["places"]["home"] == str(tmp_path)
    assert {backend["name"] for backend in document["backends"]} == set(ENGINES)
    assert all(problem["severity"] == "warning" for problem in document["problems"])


def test_both_onnx_runtimes(tmp_path):
    install_fake(tmp_path, "onnxruntime")
    install_fake(tmp_path, "onnxruntime-gpu")
    done = doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "broken: onnxruntime and onnxruntime-gpu are both installed" in done.stdout
    assert "-> pip uninstall -y onnxruntime onnxruntime-gpu" in done.stdout


def test_an_onnx_runtime_for_another_cuda(tmp_path):
    install_fake(tmp_path, "onnxruntime-gpu")
    built = tmp_path / "onnxruntime/capi/build_and_package_info.py"
    built.parent.mkdir(parents=True)
    built.write_text("cuda_version = '99.0'\n")
    install_fake(tmp_path, "nvidia-cublas-cu12")
    (tmp_path / "nvidia_cublas_cu12-9.9.dist-info/RECORD").write_text("nvidia/cublas/lib/libcublas.so.12,,\n")
    done = doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "; onnxruntime-gpu is built for CUDA 99" in done.stdout
    assert "broken: --provider cuda: onnxruntime-gpu is built for CUDA 99, and CUDA 12" in done.stdout


@needs.posix
def test_a_library_that_crashes_does_not_take_the_doctor_along(tmp_path):
    install_fake(tmp_path, "onnxruntime")
    (tmp_path / "onnxruntime.py").write_text("import os; os.abort()\n")
    done = doctor("--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    (problem,) = [entry for entry in json.loads(done.stdout)["problems"] if entry["severity"] == "broken"]
    assert "crashed with SIGABRT" in problem["what"]


def test_quiet_says_only_what_is_broken(tmp_path):
    healthy = doctor("--quiet", EDGECNN_HOME=str(tmp_path))
    assert (healthy.returncode, healthy.stdout, healthy.stderr) == (0, "", "")
    broken = doctor("--quiet", EDGECNN_HOME=str(tmp_path), TF_USE_LEGACY_KERAS="1")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert "unset TF_USE_LEGACY_KERAS" in broken.stderr


def test_a_delegate_that_is_asked_for_is_tried(tmp_path):
    done = doctor("--delegate", str(tmp_path / "missing.so"), EDGECNN_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "missing.so: does not load" in done.stdout
    assert "cannot open shared object file" in done.stdout
