import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import needs
import pytest

from edgecnn_runtime.system.scratch import scratch_folder

_PROGRAM = """\
import sys
from edgecnn_runtime.system.scratch import scratch_folder
with scratch_folder(base=sys.argv[1]) as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_there_while_the_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder(purpose="ray-") as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith("edgecnn-ray-")
        (folder / "file").write_text("x")
    assert _names(tmp_path) == set()


@needs.linux
def test_only_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    strange = {"edgecnn-without-mark", "edgecnn-a-file", "edgecnn-a-link", "other"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".in-use").touch()
    (tmp_path / "edgecnn-without-mark").mkdir()
    (tmp_path / "edgecnn-a-file").touch()
    (tmp_path / "edgecnn-a-link").symlink_to(tmp_path / "other")
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as alive,
    ):
        assert killed.stdout is not None
        assert alive.stdout is not None
        left, lives = (Path(process.stdout.readline().strip()) for process in (killed, alive))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "deep" / "file").exists()
        with scratch_folder(base=str(tmp_path)) as mine:
            assert _names(tmp_path) == strange | {lives.name, mine.name}
            assert (lives / "deep" / "file").exists()
        alive.communicate("")
    assert _names(tmp_path) == strange
    assert (tmp_path / "other" / ".in-use").exists()
