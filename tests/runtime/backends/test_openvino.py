"""OpenVINO beside the engines of each format: the same answers, the threads and the precision asked for, no traces."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
from small_onnx import small_onnx
from third_party_models import HEIGHT, WIDTH, ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, InputError, ModelError
from edgecnn_runtime.backends.openvino import OpenVinoBackend

needs.package("openvino", "edgecnn[openvino]")

PIXELS = np.random.default_rng(1).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
WRITERS = {".tflite": write_tflite, ".onnx": write_onnx}
KINDS = {
    "plain": ThirdParty(),
    "channels first": ThirdParty(axes="nchw"),
    "logits": ThirdParty(head="logits"),
    "one unit": ThirdParty(head="sigmoid"),
    "batch of four": ThirdParty(batch=4),
    "open batch": ThirdParty(batch=None),
    "pixels as bytes": ThirdParty(dtype="uint8", scale=1.0),
    "signed": ThirdParty(dtype="int8", scale=0.02, zero_point=-10),
    "integers out": ThirdParty(dtype="uint8", scale=1 / 255, output_dtype="uint8"),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_third_party_file_gives_the_answers_of_the_formats_own_engine(tmp_path: Path, suffix: str, name: str) -> None:
    kind = KINDS[name]
    if suffix == ".onnx" and kind.scale is not None:
        kind = ThirdParty(dtype="uint8")
    path = WRITERS[suffix](tmp_path / f"m{suffix}", kind)
    given = {} if kind.dtype != "float32" else {"scale": "1/255"}
    own, other = (Classifier.open(path, engine=engine, trusted=True, **given) for engine in (None, "openvino"))
    assert (other.backend.name, other.backend.provider) == ("openvino", "CPU")
    assert own.contract == other.contract
    # Integers out have steps of 1/256.
    np.testing.assert_allclose(other.predict_proba(PIXELS), own.predict_proba(PIXELS), atol=5e-3)
    again = other.backend.another().infer(PIXELS)
    assert np.array_equal(again, other.predict_proba(PIXELS))


def test_an_image_does_not_change_the_answer_to_the_one_before(tmp_path: Path) -> None:
    classifier = Classifier.open(small_onnx(tmp_path / "m.onnx"), engine="openvino")
    height, width, channels = classifier.backend.input_shape
    dark, bright = (np.full((height, width, channels), value, np.uint8) for value in (0, 255))
    first = classifier.predict_proba(dark)
    kept = first.copy()
    assert not np.array_equal(classifier.predict_proba(bright), kept)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("threads", [1, 2])
def test_it_computes_in_the_threads_and_the_precision_asked_for(tmp_path: Path, threads: int) -> None:
    if threads > (os.cpu_count() or 1):
        needs.skip(needs.Need.SYSTEM, "two processors")
    backend = OpenVinoBackend(small_onnx(tmp_path / "m.onnx"), threads=threads)
    compiled = backend._request.get_compiled_model()
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 0
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


_PROGRAM = """
import json, os, sys
from pathlib import Path
from edgecnn_runtime import Classifier
import numpy as np
before = os.sched_getaffinity(0)
for path in sys.argv[1:]:
    classifier = Classifier.open(path, engine="openvino", trusted=True)
    classifier.predict_proba(np.zeros((2, *classifier.backend.input_shape), np.uint8))
allowed = {os.sched_getaffinity(int(task.name)) == before for task in Path("/proc/self/task").iterdir()}
loaded = [name for name in sys.modules if name.startswith(("openvino_telemetry", "openvino.tools"))]
print(json.dumps([list(allowed), loaded]))
"""


@needs.linux
def test_it_tells_nobody_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """By itself the package writes an identifier into the home folder and sends an event when it is imported."""
    files = [small_onnx(tmp_path / "m.onnx"), write_tflite(tmp_path / "m.tflite", ThirdParty(first=("Sub", 0.5)))]
    empty = tmp_path / "home"
    empty.mkdir()
    # On CI the package is silent by itself.
    silent = ("CI", "TF_BUILD", "JENKINS_URL")
    environment = {name: value for name, value in os.environ.items() if name not in silent}
    environment |= {"HOME": str(empty), "XDG_CACHE_HOME": str(empty / "cache"), "TMPDIR": str(empty)}
    command = [sys.executable, "-c", _PROGRAM, *map(str, files)]
    done = subprocess.run(command, env=environment, cwd=empty, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [[True], []]
    assert list(empty.rglob("*")) == []


def test_a_damaged_file_is_a_model_error(tmp_path: Path) -> None:
    for suffix in WRITERS:
        path = tmp_path / f"m{suffix}"
        path.write_bytes(b"no model at all")
        with pytest.raises(ModelError, match=r"expected a file that OpenVINO reads; OpenVINO says: \S"):
            Classifier.open(path, engine="openvino", trusted=True)


def test_options_of_other_engines_are_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", ThirdParty())
    with pytest.raises(InputError, match="--provider cuda: expected an engine that takes it, got --engine openvino"):
        Classifier.open(path, engine="openvino", provider="cuda", trusted=True)
