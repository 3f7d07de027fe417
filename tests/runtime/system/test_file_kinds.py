"""What is behind a path: only files are read, and a pipe that nobody writes into holds nobody up."""

import os
import socket
from pathlib import Path

import needs
import pytest

from edgecnn_runtime.system.file_kinds import check_ends, endless_kind, read_file

pytestmark = needs.posix


def test_only_what_may_never_end_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "round").symlink_to("round")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    kinds = {path.name: endless_kind(path) for path in tmp_path.iterdir()}
    assert kinds == {"pipe": "a pipe", "file": None, "link": "a pipe", "round": None, "socket": "a socket"}
    assert endless_kind(tmp_path) is endless_kind(tmp_path / "nowhere") is endless_kind("a\0b") is None
    assert endless_kind("/dev/zero") == "a device"


def test_a_pipe_that_a_shell_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"image")
    os.close(writing)
    try:
        assert endless_kind(f"/dev/fd/{reading}") is None
    finally:
        os.close(reading)


def test_a_file_is_read_and_a_pipe_is_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"1")
    assert read_file(tmp_path / "file") == b"1"
    check_ends(tmp_path / "nowhere")
    with pytest.raises(OSError, match="pipe is a pipe, not a file"):
        read_file(tmp_path / "pipe")
