"""What a fresh interpreter loads: laziness is a promise to devices, so it is tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest
from small_onnx import small_onnx

FRAMEWORKS = {
    "tensorflow",
    "keras",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
    "openvino",
    "PIL",
    "matplotlib",
    "sklearn",
    "starlette",
}
HEAVY = FRAMEWORKS | {"typer", "rich"}


def _loaded_by(program: str) -> set[str]:
    report = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_runtime_loads_numpy_and_nothing_heavier() -> None:
    loaded = _loaded_by("import edgecnn_runtime")
    assert "numpy" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["edgecnn.app", "edgecnn_training", "edgecnn_export", "edgecnn_benchmarks"])
def test_no_package_loads_a_framework_when_it_is_imported(module: str) -> None:
    assert _loaded_by(f"import {module}").isdisjoint(FRAMEWORKS)


def test_decoding_loads_pillow_and_no_interpreter() -> None:
    loaded = _loaded_by(
        "import numpy, edgecnn_runtime.preprocess as p\n"
        "from edgecnn_runtime import InputSpec, Colour\n"
        "p.read_image(numpy.zeros((9, 9), 'uint8'), InputSpec(4, 4, Colour.GREY))"
    )
    assert "PIL" in loaded
    assert loaded.isdisjoint(HEAVY - {"PIL"})


def test_onnx_runtime_leaves_no_identifier_and_tells_nobody(tmp_path: Path) -> None:
    """Its wheels for Linux write one under the cache folder, and a queue of events to send, unless told not to."""
    needs.package("onnxruntime", "edgecnn[onnx]")
    model = small_onnx(tmp_path / "tiny.onnx")
    program = "import sys; from edgecnn_runtime import Classifier; Classifier.open(sys.argv[1], trusted=True)"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home" / "cache")}
    (tmp_path / "home").mkdir()
    subprocess.run([sys.executable, "-c", program, str(model)], env=environment, check=True)
    assert list((tmp_path / "home").rglob("*")) == []
