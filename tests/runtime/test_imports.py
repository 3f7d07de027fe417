"""What a fresh interpreter loads: laziness is a promise to devices, so it is tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest
from own_models import OWN
from PIL import Image
from small_onnx import small_onnx
from third_party_models import ThirdParty, write_onnx, write_tflite

import edgecnn_runtime

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

# All of ours that a device loads from its start to the first label. Each module costs it time at every start, so that
# one more needs a reason.
FIRST_LABEL = {
    "accuracy", "backends", "backends.engines", "backends.interface", "choices", "classifier", "errors", "image_files",
    "json_dataclasses", "manifest", "model_files", "model_files.whole", "model_formats",
    "prediction", "preprocess", "system", "system.cpu", "system.file_kinds", "system.forks",
}  # fmt: skip
OF_THE_FORMAT = {
    ".tflite": {"backends.litert", "backends.stored_tensors", "model_files.appended_files", "model_files.tflite_file"},
    ".onnx": {"backends.onnxruntime", "model_files.onnx_file", "model_files.protobuf"},
}
# What an adaptation to a third-party model needs besides.
THIRD_PARTY = {
    "backends.adaptation", "backends.delegate", "contract", "image_fit", "label_files", "labels",
    "model_files.flatbuffer", "model_files.graph_facts", "model_files.onnx_graph", "model_files.tflite_graph",
    "model_files.ultralytics", "pixel_scaling",
    "third_party_models", "third_party_models.adapter", "third_party_models.given", "third_party_models.image_layout",
    "third_party_models.no_classifier", "third_party_models.pixel_ranges",
    "third_party_models.opening", "third_party_models.output_form", "third_party_models.pixel_encoding",
}  # fmt: skip
# Modules that take long to load, and that numpy, Pillow and the engines do not need.
SLOW = {
    "asyncio", "bz2", "concurrent", "difflib", "hashlib", "http", "importlib.metadata", "logging", "lzma",
    "numpy.random", "queue", "shutil", "socket", "subprocess", "tempfile", "zipfile",
}  # fmt: skip
ENGINES = {".tflite": "from ai_edge_litert import interpreter", ".onnx": "import onnxruntime"}


def _loaded_by(program: str) -> set[str]:
    report = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_runtime_loads_numpy_and_nothing_heavier() -> None:
    assert "numpy" not in _loaded_by("import edgecnn_runtime")
    loaded = _loaded_by("from edgecnn_runtime import *")
    assert "numpy" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_every_public_name_has_a_home() -> None:
    homes = [name for names in edgecnn_runtime._HOMES.values() for name in names]
    assert sorted(homes) == sorted(edgecnn_runtime.__all__)


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


def _loaded_of_ours(suffix: str, model: Path, program: str) -> tuple[set[str], set[str]]:
    """Run a program on a model and `image.png` beside it; return which modules of ours and which slow ones it loads.

    Those that numpy, Pillow and the engine load are not counted.
    """
    Image.new("L", (9, 9), 200).save(model.parent / "image.png")
    report = (
        f"import sys, json, numpy, PIL.Image, PIL.PngImagePlugin\n{ENGINES[suffix]}\nbefore = set(sys.modules)\n"
        f"from edgecnn_runtime import Classifier\nmodel, image = sys.argv[1:]\n{program}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    command = [sys.executable, "-c", report, str(model), str(model.parent / "image.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    prefix = "edgecnn_runtime."
    return {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)}, loaded & SLOW


@pytest.mark.parametrize("suffix", OWN)
@pytest.mark.parametrize(
    "program", ["Classifier.open(model).predict(image)", "list(Classifier.open(model).predict_many([image]))"]
)
def test_the_first_label_loads_what_it_needs_and_no_more(tmp_path: Path, suffix: str, program: str) -> None:
    ours, slow = _loaded_of_ours(suffix, OWN[suffix](tmp_path / f"m{suffix}"), program)
    assert ours - {"pipeline"} == FIRST_LABEL | OF_THE_FORMAT[suffix]
    assert slow <= {"queue"} if "many" in program else not slow


@pytest.mark.parametrize("suffix", OWN)
def test_a_trusted_third_party_file_starts_no_process(tmp_path: Path, suffix: str) -> None:
    model = {".tflite": write_tflite, ".onnx": write_onnx}[suffix](tmp_path / f"m{suffix}", ThirdParty())
    program = "Classifier.open(model, scale=1, trusted=True).predict(image)"
    ours, slow = _loaded_of_ours(suffix, model, program)
    assert ours <= FIRST_LABEL | OF_THE_FORMAT[suffix] | THIRD_PARTY
    assert not slow


def test_names_for_streams_are_loaded_when_they_are_asked_for() -> None:
    program = (
        "import sys, edgecnn_runtime\n"
        "before = [name for name in sys.modules if name.startswith('edgecnn_runtime.video')]\n"
        "from edgecnn_runtime import *\n"
        "print(before, stream.__module__, Contract.__module__, hasattr(edgecnn_runtime, 'streams'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "edgecnn_runtime.video.stream", "edgecnn_runtime.contract", "False"]


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
