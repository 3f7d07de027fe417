import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import needs
import pytest

from edgecnn_runtime.system import atomic_files


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.weights.h5"
    atomic_files.write_bytes(path, b"first")
    atomic_files.write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert _names(path.parent) == ["model.weights.h5"]


def test_the_temporary_name_keeps_every_suffix(tmp_path: Path) -> None:
    with atomic_files.atomic_write(tmp_path / "best.weights.h5") as partial:
        assert partial.name.endswith(".weights.h5")
        partial.write_bytes(b"x")


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "results"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        atomic_files.write_bytes(pipe, b"ten")
        assert reader.communicate(timeout=60)[0] == b"ten"
    assert pipe.is_fifo()


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    atomic_files.write_json(path, {"epoch": 1})

    def fill_the_disk() -> None:
        with atomic_files.atomic_write(path) as partial:
            partial.write_text('{"epo')
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fill_the_disk()
    assert path.read_text() == '{\n  "epoch": 1\n}\n'
    assert _names(tmp_path) == ["run.json"]


@needs.linux
def test_room_is_looked_for_before_a_file_is_written(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "weights.h5"
    atomic_files.check_room(path, 2**20)
    assert path.read_bytes() == b""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, limits[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{path}'"):
            atomic_files.check_room(path, 2**20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"

    def fill_the_disk() -> None:
        with atomic_files.atomic_write(path) as partial:
            partial.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        fill_the_disk()
    assert _names(tmp_path) == []


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "[odd] name.json"
    program = (
        "import sys, pathlib; from edgecnn_runtime.system import atomic_files\n"
        "with atomic_files.atomic_write(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); print('written', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not path.exists()
    assert len(_names(tmp_path)) == 1
    atomic_files.write_text(path, "whole")
    assert _names(tmp_path) == ["[odd] name.json"]
