"""The start of the command line: what it loads, and which commands it knows then."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest

from edgecnn.app import COMMANDS

LIBRARIES = {"numpy", "PIL", "tensorflow", "keras", "torch", "onnx", "onnxruntime", "ai_edge_litert", "matplotlib"}


def start(*words: str) -> tuple[str, set[str]]:
    """Run the command line in a process of its own; return what it prints, and the modules it has loaded."""
    program = (
        "import json, sys\n"
        "from edgecnn.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    *printed, modules = done.stdout.splitlines()
    return "\n".join(printed) + done.stderr, set(json.loads(modules))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["recipes"], ["train", "--help"], ["predict", "--help"]])
def test_help_and_lists_load_no_library(words: list[str]) -> None:
    _, loaded = start(*words)
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(LIBRARIES)


@pytest.mark.parametrize("words", [["recipes", "mnist*"], ["--debug", "recipes", "mnist*"]])
def test_a_command_loads_no_other(words: list[str]) -> None:
    printed, loaded = start(*words)
    assert "chinese-mnist" not in printed
    assert "mnist-plus" in printed
    assert {name.split(".")[2] for name in loaded if name.startswith("edgecnn.commands.")} == {"recipes"}


@pytest.mark.parametrize("words", [["--help"], ["--help", "recipes"], []])
def test_the_help_lists_every_command(words: list[str]) -> None:
    printed, _ = start(*words)
    listed = [line.split()[0] for line in printed.partition("Commands:")[2].splitlines() if line[2:3].strip()]
    assert sorted(listed) == sorted(COMMANDS)


def test_a_slip_is_answered_with_what_may_be_meant() -> None:
    printed, _ = start("recipse")
    assert "No such command 'recipse'" in printed
    assert "recipes" in printed.partition("No such command 'recipse'")[2]


WORKING = """\
import os, sys, tempfile
from edgecnn import app
def work():
    with tempfile.NamedTemporaryFile(delete=False) as file:  # as TensorFlow does
        print(file.name, flush=True)
    sys.stdin.read()
app.command_line = lambda *_: work
app.main()
"""


@needs.linux
def test_temporary_files_of_a_killed_command_go_with_the_next(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", WORKING, "export"]

    def working() -> "subprocess.Popen[str]":
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    with working() as killed:
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        killed.kill()
    assert left.exists()
    assert left.parent.parent == tmp_path
    with working() as other:
        assert other.stdout is not None
        assert Path(other.stdout.readline().strip()).exists()
        assert not left.parent.exists()
        other.communicate("")
        assert other.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_lack_of_memory_is_told_in_a_sentence() -> None:
    program = (
        "from edgecnn import app\n"
        "def fail(): raise MemoryError('m.onnx: bad_alloc')\n"
        "app.command_line = lambda *_: fail\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "predict"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ("error: out of memory; give the process more, or less to do at once (m.onnx: bad_alloc)\n")
