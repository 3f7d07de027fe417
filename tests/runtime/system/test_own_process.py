"""Subprocesses that crash, hang, or cannot be started, and what is left of them."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import needs
import pytest
from needs import Need

from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.system.own_process import Ended, describe_end, python_interpreter, run, run_python

posix = needs.mark(os.name == "posix", Need.SYSTEM, "signals")


@pytest.mark.parametrize(
    ("program", "code", "reason"),
    [
        ("", 0, None),
        ("raise SystemExit(3)", 3, "the process ended with exit code 3"),
        ("raise SystemExit('no such operator')", 1, "the process ended with exit code 1: no such operator"),
        ("import nowhere", 1, "the process ended with exit code 1: ModuleNotFoundError: No module named 'nowhere'"),
        pytest.param("os.abort()", -signal.SIGABRT, "the process crashed with SIGABRT", marks=posix),
        pytest.param(
            "os.write(2, b'Check failed\\n'); os.abort()",
            -signal.SIGABRT,
            "the process crashed with SIGABRT: Check failed",
            marks=posix,
        ),
        pytest.param(
            "os.kill(os.getpid(), 9)", -9, "the process crashed with SIGKILL, probably out of memory", marks=posix
        ),
    ],
)
def test_every_end_has_its_words(program: str, code: int, reason: str | None) -> None:
    ended = run_python("-c", f"import os\n{program}", timeout=60)
    assert (ended.code, ended.reason, ended.crashed, ended.limit) == (code, reason, code < 0, None)


def test_a_signal_without_a_name_has_its_number() -> None:
    assert describe_end(-50, "") == "the process crashed with signal 50"


def test_the_output_is_captured() -> None:
    ended = run_python("-c", "import sys; print('loading\\n[1]'); print('warned', file=sys.stderr)", timeout=60)
    assert (ended.stdout.split(), ended.stderr.split(), ended.answer) == (["loading", "[1]"], ["warned"], "[1]")
    assert Ended(0, "", "").answer == ""


def test_what_hangs_is_killed() -> None:
    ended = run_python("-c", "print('begun', flush=True)\nwhile True: pass", timeout=0.5)
    assert (ended.limit, ended.crashed) == (0.5, False)
    assert ended.reason == "no answer within 0.5 s"
    assert ended.code != 0


@posix
def test_a_grandchild_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    grandchild = f"open({str(gate)!r}).read()"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); print('done')"
    assert run_python("-c", program, timeout=60).answer == "done"
    gate.open("w").close()  # waits for the grandchild, and lets it go


def test_lines_are_reported_one_by_one() -> None:
    lines: list[str] = []
    ended = run_python(
        "-c", "print('one')\nprint('two', end='')\nraise SystemExit(2)", timeout=60, on_line=lines.append
    )
    assert (lines, ended.stdout, ended.code) == (["one\n", "two"], "", 2)


@posix
def test_an_error_in_between_kills_the_subprocess() -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt) as caught:
        run_python("-c", "import os; print(os.getpid(), flush=True)\nwhile True: pass", timeout=None, on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(caught.value)), 0)


@pytest.mark.parametrize(
    ("executable", "frozen", "found"),
    [
        ("", None, "none"),
        (None, None, "none"),
        # PyInstaller, cx_Freeze: the program itself, whatever it is called.
        ("dist/sorter", True, "a frozen program, dist/sorter"),
        ("dist/python", True, "a frozen program, dist/python"),
        # Programs that embed Python name themselves.
        ("/usr/bin/uwsgi", None, "/usr/bin/uwsgi"),
        ("C:/Sorter/sorter.exe", None, "C:/Sorter/sorter.exe"),
        ("/usr/bin/python-sorter", None, "/usr/bin/python-sorter"),
    ],
)
def test_without_an_interpreter_nothing_is_started(
    executable: str | None, frozen: bool | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    if frozen:
        monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    with pytest.raises(OSError, match=f"expected a Python interpreter for a subprocess, got {found}$"):
        run_python("-c", "", timeout=1)


@pytest.mark.parametrize(
    "name", ["python", "python3", "python3.13t", "pythonw.exe", "Python.exe", "python3.11-dbg", "pypy3.11", "graalpy"]
)
def test_every_interpreter_is_known_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", f"/usr/bin/{name}")
    assert python_interpreter() == f"/usr/bin/{name}"


def test_a_program_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run([str(tmp_path / "absent")], timeout=1)


def test_a_module_in_the_current_folder_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wave.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert run_python("-c", "import wave", timeout=60).code == 0


def test_the_folder_and_the_environment_are_those_given(tmp_path: Path) -> None:
    program = "import os; print(os.getcwd(), os.environ.get('SHADE'))"
    command = [sys.executable, "-c", program]
    ended = run(command, timeout=60, folder=tmp_path, environment={**os.environ, "SHADE": "dark"})
    assert ended.stdout.split() == [str(tmp_path.resolve()), "dark"]


@pytest.mark.parametrize("program", ["while True: pass", "import os; os.kill(os.getpid(), 9)"])
def test_a_killed_process_leaves_no_files(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run_python("-c", program, timeout=0.5).code != 0
    assert not list(tmp_path.iterdir())


@needs.mark(hasattr(os, "memfd_create"), Need.SYSTEM, "files in memory")
def test_nothing_needs_a_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert run_python("-c", "print(7)", timeout=60).answer == "7"
    with pytest.raises(FileNotFoundError), native_output_kept():
        tempfile.TemporaryFile().close()
