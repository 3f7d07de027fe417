import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import GREY_8, tiny_onnx

from edgecnn_benchmarks.process.worker_process import WorkerError, WorkerProcess

# Speaks the protocol well enough to be opened, then does what the second request finds.
_OPENS = """
import json, os, sys, time
sys.stdin.readline()
print(json.dumps({"labels": ["a", "b"], "input": {"height": 8, "width": 8, "colour": "grey", "resize": "squash",
      "background": [255, 255, 255]}, "scheme": "float32", "backend": "stub",
      "provider": None, "load_s": 0.1}), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def images(tmp_path: Path) -> str:
    path = tmp_path / "images.npy"
    bright = np.arange(70) % 3 == 0
    np.save(path, np.broadcast_to((200 * bright).astype(np.uint8)[:, None, None, None], (70, *GREY_8.shape)))
    return str(path)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("os.abort()", "the process crashed with SIGABRT (while asked to measure)"),
        (
            "os.kill(os.getpid(), 9)",
            "the process crashed with SIGKILL, probably out of memory (while asked to measure)",
        ),
        (
            "sys.exit('no such operator')",
            "the process ended with exit code 1: no such operator (while asked to measure)",
        ),
        ("print(json.dumps({'error': 'it broke'}), flush=True)", "it broke"),
    ],
)
def test_reason_of_a_failure(behaviour: str, reason: str, model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPENS + behaviour]
    with (
        WorkerProcess(model, threads=1, timeout=60, folder=tmp_path, command=command) as worker,
        pytest.raises(WorkerError) as caught,
    ):
        worker.ask("measure")
    assert str(caught.value) == reason


def test_hanging_worker_is_stopped(model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPENS + "time.sleep(600)"]
    with (
        pytest.raises(WorkerError, match=r"no answer within 2 s \(while asked to measure\); stopped"),
        WorkerProcess(model, threads=1, timeout=2, folder=tmp_path, command=command) as worker,
    ):
        worker.ask("measure")
    assert worker._process.poll() is not None


def test_model_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(WorkerError, match=r"expected a .*ONNX file"):
        WorkerProcess(path, threads=1, timeout=60, folder=tmp_path)


def test_worker_measures_classifies_and_tells_its_memory(model: Path, images: str, tmp_path: Path) -> None:
    with WorkerProcess(model, threads=1, timeout=60, folder=tmp_path) as worker:
        assert worker.facts.labels == ("dark", "bright")
        assert worker.facts.input == GREY_8
        assert (worker.facts.scheme, worker.facts.backend) == ("float32", "onnxruntime")
        answer = worker.ask("measure", images=images, batch=1, warmup=1, warmup_secs=0, runs=100, secs=0, limit_secs=10)
        assert len(answer["latencies_ns"]) == 100
        assert min(answer["latencies_ns"]) > 0
        limited = worker.ask("measure", images=images, batch=1, warmup=1, warmup_secs=0, runs=100, secs=9, limit_secs=0)
        assert len(limited["latencies_ns"]) == 1
        first = worker.ask("classify", images=images, start=0, end=70, secs=0)["classes"]
        rest = worker.ask("classify", images=images, start=len(first), end=99, secs=9)["classes"]
        assert first + rest == [int(index % 3 == 0) for index in range(70)]
        assert worker.ask("memory", images=images, predictions=3)["peak_bytes"] is not False


def test_worker_imports_nothing_beside_the_runtime() -> None:
    program = (
        "import edgecnn_benchmarks.process.worker, sys\n"
        "print([name for name in sys.modules if name.startswith('edgecnn_b')])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert eval(answer.stdout) == [
        "edgecnn_benchmarks",
        "edgecnn_benchmarks.process",
        "edgecnn_benchmarks.process.energy",
        "edgecnn_benchmarks.process.peak_memory",
        "edgecnn_benchmarks.process.worker",
    ]


def test_worker_ends_with_its_stdin(model: Path) -> None:
    command = [sys.executable, "-m", "edgecnn_benchmarks.process.worker"]
    request = json.dumps({"do": "open", "model": str(model), "threads": 1}) + "\n"
    done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["backend"] == "onnxruntime"
