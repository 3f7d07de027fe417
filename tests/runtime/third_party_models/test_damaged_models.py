"""Mutated model files: a clear error or a right answer, never a crash, a hang, or another answer without a word."""

import json
import subprocess
import sys
from pathlib import Path

import needs
import pytest
from own_models import OWN
from third_party_models import ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, ModelError, PixelRangeError
from edgecnn_runtime.model_formats import ModelFile

pytestmark = needs.posix

_MUTATIONS = Path(__file__).parents[2] / "mutations.py"


def ends_of(model: Path, *, count: int, seed: int) -> dict[str, int]:
    """Open mutants in a process whose interpreter has no thread of ours beside it."""
    done = subprocess.run(
        [sys.executable, str(_MUTATIONS), str(model), str(count), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    ends: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    assert sum(ends.values()) == count
    return ends


THIRD_PARTY_MODELS = {".tflite": write_tflite, ".onnx": write_onnx}
SIZES = [pytest.param(96, id="96"), pytest.param(2000, id="2000", marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("suffix", OWN)
def test_a_damaged_exported_file_is_an_error_and_nothing_else(tmp_path: Path, suffix: str, count: int) -> None:
    ends = ends_of(OWN[suffix](tmp_path / f"own{suffix}"), count=count, seed=1)
    # Some mutants do not change the file, or only what stands in it for other readers.
    assert ends.keys() <= {"error", "answer"}, ends
    assert ends["error"] > count / 2


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("suffix", THIRD_PARTY_MODELS)
def test_a_damaged_file_of_others_crashes_nothing(tmp_path: Path, suffix: str, count: int) -> None:
    ends = ends_of(
        THIRD_PARTY_MODELS[suffix](tmp_path / f"other{suffix}", ThirdParty(first=("Sub", 0.5))), count=count, seed=2
    )
    # Without a checksum a changed weight cannot be told from another weight.
    assert ends.keys() <= {"error", "answer", "other answer", "other input", "other labels"}, ends
    assert ends["error"] > count / 4


@pytest.mark.parametrize("suffix", OWN)
def test_an_exported_file_with_one_changed_weight_is_refused(tmp_path: Path, suffix: str) -> None:
    path = OWN[suffix](tmp_path / f"own{suffix}")
    assert Classifier.open(path).manifest.content_crc32 is not None
    weights = ThirdParty() if suffix == ".tflite" else None
    content = bytearray(path.read_bytes())
    needle = (weights.weights * weights.gain).astype("<f4").tobytes()[:8] if weights else b"\0\0\xc8"
    place = content.index(needle)
    content[place] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="checksum"):
        Classifier.open(path)


def test_a_third_party_model_first_runs_in_a_subprocess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn_runtime.third_party_models import first_run

    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    path = write_onnx(tmp_path / "other.onnx", ThirdParty())
    with pytest.raises(PixelRangeError):  # which is found out behind the first run
        Classifier.open(path)
    assert len((tmp_path / "home" / "tried-models.txt").read_text().split()) == 1
    ran: list[object] = []
    monkeypatch.setattr(first_run, "run_python", lambda *arguments, **_: ran.append(arguments))
    Classifier.open(path, labels="a,b,c", scale="1/255")
    Classifier.open(path, engine="onnxruntime", scale="1/255")
    assert not ran


def test_a_frozen_program_does_not_start_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    program = tmp_path / "sorter"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    path = write_onnx(tmp_path / "other.onnx", ThirdParty())
    assert Classifier.open(path, scale="1/255").is_third_party
    assert not started.exists()


def test_the_subprocess_runs_the_engine_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgecnn_runtime.system.own_process import Ended
    from edgecnn_runtime.third_party_models import first_run
    from edgecnn_runtime.third_party_models.opening import Opening

    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    path = write_onnx(tmp_path / "other.onnx", ThirdParty())
    asked: list[str | None] = []

    def run(*arguments: str, **_: object) -> Ended:
        asked.append(json.loads(arguments[3])["engine"])
        return Ended(0, "", "")

    monkeypatch.setattr(first_run, "run_python", run)
    for engine in (None, "onnxruntime", "openvino", "openvino"):
        first_run.check_first_run(ModelFile.read(path), Opening(engine=engine))
    # What one engine has run, another may not.
    assert asked == [None, "openvino"]


@pytest.mark.parametrize(
    ("program", "message"),
    [("os.abort()", "SIGABRT"), ("time.sleep(60)", "no answer"), ("os._exit(3)", None)],
)
def test_a_file_that_crashes_or_hangs_its_interpreter_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str | None
) -> None:
    from edgecnn_runtime.third_party_models import first_run
    from edgecnn_runtime.third_party_models.opening import Opening

    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(first_run, "_PROGRAM", f"import os, time\n{program}")
    monkeypatch.setattr(first_run, "_TIMEOUT", 2.0 if message == "no answer" else 60.0)
    path = write_onnx(tmp_path / "other.onnx", ThirdParty())
    if message is None:
        first_run.check_first_run(ModelFile.read(path), Opening())
    else:
        with pytest.raises(ModelError, match=f"expected a model that runs.*{message}"):
            first_run.check_first_run(ModelFile.read(path), Opening())
    # It is not remembered as one that works.
    assert not (tmp_path / "home" / "tried-models.txt").exists()
