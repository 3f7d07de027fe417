"""The arena that TFLite-Micro's interpreter needs, as the exporter measures it."""

import subprocess
import sys
from pathlib import Path

import needs
import pytest
from tiny_classifier import tiny_classifier

from edgecnn_export.tflite import arena
from edgecnn_export.tflite.arena import measure_arena

# Exits 0 where the interpreter can be made; too small an arena may also kill the process.
PROGRAM = """
import sys
from tflite_micro import runtime
runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]))
"""


def test_the_measured_arena_suffices_and_a_smaller_one_does_not(tmp_path: Path) -> None:
    needs.package("tflite_micro", "tflite-micro")
    model = tiny_classifier(tmp_path / "parts.tflite")
    arena = measure_arena(model.read_bytes())
    assert arena is not None
    for size, enough in ((arena, True), (arena - 16, False)):
        command = [sys.executable, "-c", PROGRAM, str(model), str(size)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert (done.returncode == 0) is enough


@pytest.mark.parametrize("content", [b"", b"nonsense" * 10])
def test_what_the_interpreter_does_not_run_has_no_arena(content: bytes) -> None:
    needs.package("tflite_micro", "tflite-micro")
    assert measure_arena(content) is None


def test_without_the_interpreter_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena.importlib.util, "find_spec", lambda name: None)
    assert measure_arena(b"not even looked at") is None
