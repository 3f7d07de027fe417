"""What an installed package brings: all five packages and their data, and no more dependencies than a device needs."""

import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("edgecnn", "edgecnn_training", "edgecnn_export", "edgecnn_runtime", "edgecnn_benchmarks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def test_the_wheel_holds_every_file_of_the_source_roots(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    roots = ("cli", "training", "export", "runtime", "benchmarks")
    present = {
        path.relative_to(ROOT / root).as_posix()
        for root, package in zip(roots, ("edgecnn", *PACKAGES[1:]), strict=True)
        for path in (ROOT / root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == present


def test_the_base_install_is_light() -> None:
    requires = metadata.requires("edgecnn") or []
    base = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in requires if "extra ==" not in line}
    assert base == {"numpy", "pillow", "typer"}


def test_the_extras_are_those_of_the_design() -> None:
    provided = set(metadata.metadata("edgecnn").get_all("Provides-Extra") or ())
    assert provided == {
        "litert", "onnx", "onnx-gpu", "openvino", "camera", "serve", "train", "export", "sign", "ethos-u", "ray",
        "all", "all-gpu", "dev", "dev-all",
    }  # fmt: skip


def test_the_installed_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), str(wheel)],
        check=True,
        capture_output=True,
    )
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {', '.join(PACKAGES)}\n"
        f"print([sys.modules[name].__file__.startswith({str(tmp_path)!r}) for name in {PACKAGES!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([True] * len(PACKAGES))


def pins(name: str) -> dict[str, str]:
    """Read a file of constraints, the package in the spelling of its metadata."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
    return {
        package.lower().replace("_", "-"): version for package, _, version in (line.partition("==") for line in lines)
    }


def test_constraints_are_plain_pins() -> None:
    assert {"numpy", "pillow", "typer", "tensorflow", "onnx", "onnxruntime", "ai-edge-litert"} <= pins(
        "constraints.txt"
    ).keys()


def test_the_gpu_constraints_are_what_tensorflow_brings_and_an_onnx_runtime_of_its_cuda() -> None:
    gpu = pins("constraints-gpu.txt")
    assert not gpu.keys() & pins("constraints.txt").keys()
    assert int(gpu["onnxruntime-gpu"].split(".")[1]) < 27  # from 1.27 on it is built for CUDA 13
    brought = {
        re.split(r"[<>=!~ ;\[]", line)[0]
        for line in metadata.requires("tensorflow") or []
        if re.search(r"extra == ['\"]and-cuda", line)
    }
    assert gpu.keys() == {"onnxruntime-gpu", *brought}
    assert all(name.endswith("-cu12") for name in brought)
