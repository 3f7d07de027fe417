import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import needs
from conftest import edgecnn, edgecnn_here, hear_interrupts
from tiny_models import tiny_onnx
from waiting import wait_until

from edgecnn_runtime.workstation.run_folder import RunFolder

_QUICK = ("--rounds", "1", "--runs", "3", "--warmup", "1", "--starts", "1", "--engine", "onnxruntime")


def test_prints_table_verdict_and_where_the_report_is(tiny_run: RunFolder, tmp_path: Path) -> None:
    printed = edgecnn("bench", tiny_run.path, *_QUICK, "--output", tmp_path)
    assert all(len(line) <= 110 for line in printed.splitlines())
    assert printed.startswith("file ")
    assert "Ship tiny_" in printed
    assert printed.rstrip().endswith(str(tmp_path / "report.html"))


def test_json_is_one_document(tiny_run: RunFolder, tmp_path: Path) -> None:
    model = tiny_run.exported("int8", ".onnx")
    document = json.loads(edgecnn("bench", model, *_QUICK, "--output", tmp_path, "--json"))
    assert document == json.loads((tmp_path / "bench.json").read_text())
    assert document["command"].startswith("edgecnn bench ")
    assert document["settings"]["rounds"] == 1


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert "not found; expected a run folder or a model file" in edgecnn_here(
        "bench", tmp_path / "absent.tflite", code=2
    )
    assert "rounds: expected at least 1" in edgecnn_here(
        "bench", tiny_onnx(tmp_path / "a.onnx"), "--rounds", "0", code=2
    )


@needs.linux
def test_interrupt_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    model, output = tiny_onnx(tmp_path / "a.onnx"), tmp_path / "out"
    command = [sys.executable, "-m", "edgecnn", "bench", str(model), "--output", str(output), "--rounds", "9999"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    ) as process:
        wait_until(lambda: process.poll() is not None or _others_in_session(process.pid), "a worker at work")
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=60)[0].decode()
    assert process.returncode not in (0, None)
    assert "Traceback" not in printed
    assert _others_in_session(process.pid) == []
    assert list(output.iterdir()) == []


def _others_in_session(session: int) -> list[int]:
    """List the living processes of a session beside its leader."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != session:
            try:
                state, _, _, member_of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:  # ended meanwhile
                continue
            if int(member_of) == session and state != "Z":
                found.append(int(folder.name))
    return found
