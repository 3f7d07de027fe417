"""The program on the other machine, run here: what comes over a connection is checked before it is used."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import needs
import pytest

from edgecnn_benchmarks.remote import far_side
from edgecnn_benchmarks.remote.far_side import MARK
from edgecnn_benchmarks.remote.on_host import HostOptions
from edgecnn_benchmarks.remote.own_wheel import write_wheel
from edgecnn_benchmarks.remote.ssh import far_side_script
from edgecnn_benchmarks.remote.wheels import download_wheels, platforms_of
from edgecnn_runtime.errors import InputError

pytestmark = needs.posix


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "far_side.py").write_bytes(far_side_script())
    return tmp_path


def _ask(place: Path, *words: str, content: bytes = b"") -> list[dict[str, Any]]:
    """Run it with nothing but Python, as it is over there."""
    command = [sys.executable, "-I", str(place / "far_side.py"), *words]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    assert done.stderr == b""
    return [json.loads(line.removeprefix(MARK)) for line in done.stdout.decode().splitlines()]


def _wish(content: bytes) -> tuple[str, bytes]:
    name = hashlib.sha256(content).hexdigest()
    return name, json.dumps([{"sha256": name, "size": len(content)}]).encode() + b"\n"


def test_a_file_that_was_cut_off_goes_on_there(place: Path) -> None:
    content = bytes(range(256)) * 20
    name, wish = _wish(content)
    assert _ask(place, "receive", content=wish + content[:3000])[0] == {"missing": [{"sha256": name, "offset": 0}]}
    assert _ask(place, "receive", content=wish + content[3000:]) == [
        {"missing": [{"sha256": name, "offset": 3000}]},
        {"done": True},
    ]
    assert (place / "files" / name).read_bytes() == content
    assert _ask(place, "receive", content=wish)[0] == {"missing": []}


def test_a_damaged_file_is_not_kept(place: Path) -> None:
    name, wish = _wish(b"right")
    answers = _ask(place, "receive", content=wish + b"wrong")
    assert "came damaged" in answers[1]["error"]
    assert list((place / "files").iterdir()) == []
    assert _ask(place, "receive", content=wish)[0]["missing"] == [{"sha256": name, "offset": 0}]


@pytest.mark.parametrize("path", ["../../out", "/etc/x", "a/../../../b"])
def test_a_file_stays_within_its_benchmark(place: Path, path: str) -> None:
    name, wish = _wish(b"x")
    _ask(place, "receive", content=wish + b"x")
    job = {"name": "0" * 16, "files": {path: name}}
    assert "within the job's folder" in _ask(place, "start", content=json.dumps(job).encode())[0]["error"]


@pytest.mark.parametrize("words", [("attach", "../x"), ("forget", ".."), ("stop", "0" * 15)])
def test_a_benchmark_has_a_name_of_hexadecimal_digits(place: Path, words: tuple[str, str]) -> None:
    assert "the name of a benchmark" in _ask(place, *words)[0]["error"]


def test_too_little_room_is_found_before_anything_is_sent(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 1_000_000))
    monkeypatch.setattr(far_side, "ROOT", place)
    monkeypatch.setattr(far_side, "FILES", place / "files")
    monkeypatch.setattr(far_side, "ENVIRONMENT", place / "environment")
    line = _wish(b"x" * 5)[1]
    monkeypatch.setattr(
        sys, "stdin", type("Stdin", (), {"buffer": type("Buffer", (), {"readline": lambda self: line})()})
    )
    with pytest.raises(far_side.Problem, match=r"expected 400 MB of room in .*, got 1 MB"):
        far_side.receive()


def test_one_that_was_killed_has_ended_without_a_result(place: Path) -> None:
    (place / "jobs" / ("0" * 16)).mkdir(parents=True)
    answers = _ask(place, "attach", "0" * 16)
    assert answers[0]["ended"]["kind"] == "vanished"


@pytest.mark.parametrize(
    ("kind", "printed", "found"),
    [
        (
            "pip",
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...: Failed to "
            "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/numpy/\n"
            "ERROR: Could not find a version that satisfies the requirement numpy>=1.26 (from edgecnn)\n"
            "ERROR: No matching distribution found for numpy>=1.26\n",
            "offline",
        ),
        (
            "pip",
            "ERROR: Could not find a version that satisfies the requirement ai-edge-litert>=2.0; extra == 'litert'\n"
            "ERROR: No matching distribution found for ai-edge-litert>=2.0; extra == 'litert'\n",
            "no wheel",
        ),
        ("pip", "ERROR: Could not install packages: [Errno 28] No space left on device\n", "no space"),
        (
            "venv",
            "The virtual environment was not created successfully because ensurepip is not\navailable.  On "
            "Debian/Ubuntu systems, you need to install the python3-venv\npackage\n",
            "venv",
        ),
        ("other", "Traceback\nValueError: x\n", "other"),
    ],
)
def test_what_pip_and_venv_print_is_told_apart(kind: str, printed: str, found: str) -> None:
    assert far_side._problem(kind, 1, printed).kind == found


def test_names_the_platforms_that_pip_downloads_for() -> None:
    assert platforms_of("armv7l", "musl", "") == ["musllinux_1_2_armv7l", "musllinux_1_1_armv7l"]
    assert "manylinux_2_17_x86_64" in platforms_of("x86_64", "glibc", "2.36")
    assert "manylinux_2_36_x86_64" in platforms_of("x86_64", "glibc", "2.36")
    assert "manylinux_2_37_x86_64" not in platforms_of("x86_64", "glibc", "2.36")


def test_a_wheel_that_cannot_be_had_for_a_platform_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # no network in a test: nothing can be had
    there = {"system": "Linux", "machine": "riscv64", "bits": 64, "libc": ["glibc", "2.36"], "version": [3, 11, 2]}
    with pytest.raises(InputError, match=r"wheels for riscv64 glibc 2.36 .* No matching distribution found for"):
        download_wheels(tmp_path / "wheels", wheel=write_wheel(tmp_path), extras=("onnx",), there=there)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"limit_secs": 0}, "host limit: expected seconds above 0"),
        ({"wheels": "absent"}, "host wheels: expected 'download' or a folder with .whl files"),
        ({"python": "-c"}, "host python: "),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        HostOptions(**options)
