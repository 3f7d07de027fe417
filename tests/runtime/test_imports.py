"""What a fresh interpreter loads: laziness is a promise to devices, so it is tested."""

import json
import subprocess
import sys

import pytest

FRAMEWORKS = {
    "tensorflow",
    "keras",
    "onnx",
    "onnxruntime",
    "ai_edge_litert",
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
