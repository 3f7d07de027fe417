"""`edgecnn stream` as a user runs it: videos, a network camera, signals, and wrong arguments."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import needs
import numpy as np
import pytest
from conftest import edgecnn_here, hear_interrupts
from tiny_models import tiny_onnx
from video_files import MjpegServer, damage_frames, write_video
from waiting import wait_until

needs.package("cv2", "edgecnn[camera]")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark for a second with one odd frame in it, then bright for a second; 10 frames/s."""
    values = [30] * 6 + [230] + [30] * 3 + [230] * 10
    pictures = [np.full((48, 64, 3), value, np.uint8) for value in values]
    return write_video(tmp_path_factory.mktemp("video") / "line.avi", pictures, rate=10)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgecnn", "stream", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_line_a_change_and_a_summary(model: Path, video: Path) -> None:
    done = run(model, video)
    assert done.returncode == 0
    changes = [line.split() for line in done.stdout.splitlines()]
    assert [(words[3], words[4]) for words in changes] == [("3", "dark"), ("13", "bright")]
    opening, summary = done.stderr.splitlines()
    assert opening == f"reading {video}"
    assert summary.startswith("20 frames classified, 0 dropped, ")
    assert "latency p50" in summary
    assert "age of the answer p50" in summary


@pytest.mark.parametrize(
    ("damaged", "changes", "code", "last"),
    [
        ([8], [("3", "dark"), ("12", "bright")], 0, "19 frames classified, 0 dropped, 1 damaged, "),
        (range(13, 21), [("3", "dark")], 1, "error: {video}: expected 20 frames, got 12, and after frame 12 no more; "),
    ],
)
def test_a_damaged_video_is_read_on_and_what_is_missing_is_said(
    model: Path, video: Path, tmp_path: Path, damaged: list[int], changes: list[tuple[str, str]], code: int, last: str
) -> None:
    copy = tmp_path / "copy.avi"
    copy.write_bytes(video.read_bytes())
    done = run(model, damage_frames(copy, damaged))
    assert [(line.split()[3], line.split()[4]) for line in done.stdout.splitlines()] == changes
    assert done.returncode == code
    assert done.stderr.splitlines()[-1].startswith(last.format(video=copy))
    assert ("frame 8 cannot be decoded" in done.stderr) == (code == 0)


def test_without_smoothing_the_odd_frame_shows(model: Path, video: Path) -> None:
    labels = [line.split()[4] for line in run(model, video, "--window", "1").stdout.splitlines()]
    assert labels == ["dark", "bright", "dark", "bright"]


def test_json_lines_tell_everything_of_each_frame(model: Path, video: Path) -> None:
    done = run(model, video, "--json", "--every", "3", "--max-frames", "5", "--quiet")
    assert done.stderr == ""
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["frame"] for frame in frames] == [1, 4, 7, 10, 13]
    assert [frame["predicted"] for frame in frames] == ["dark", "dark", "bright", "dark", "bright"]
    assert [frame["label"] for frame in frames] == [None, None, None, "dark", "dark"]
    assert [frame["changed"] for frame in frames] == [False, False, False, True, False]
    assert [frame["position"] for frame in frames] == pytest.approx([0, 0.3, 0.6, 0.9, 1.2], abs=1e-3)
    for frame in frames:
        assert set(frame["latency_ms"]) == {"wait", "preprocess", "inference"}
        assert frame["age_ms"] >= sum(frame["latency_ms"].values()) - 0.01
        assert frame["probability"] > 0.5
        assert (frame["dropped"], frame["events"]) == (0, [])


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(200, 256, (48, 64, 3), np.uint8) for _ in range(7)]
    with MjpegServer(pictures, endless=True).running() as server:
        yield server


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(model: Path, camera: MjpegServer, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "edgecnn", "stream", str(model), camera.address]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    )
    assert process.stdout is not None
    assert process.stdout.readline().split()[-2:-1] == ["bright"]
    process.send_signal(ending)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    opening, summary = errors.splitlines()
    assert opening == f"reading {camera.address}; Ctrl-C ends it"
    assert "frames classified" in summary


@needs.linux
@pytest.mark.parametrize("command", ["stream", "serve"])
def test_a_service_that_only_starts_is_ended(model: Path, video: Path, command: str) -> None:
    """As the first process of a container it gets no signal that it has no handler for."""
    words = [
        sys.executable,
        "-m",
        "edgecnn",
        command,
        str(model),
        *([str(video), "--json"] if command == "stream" else []),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        caught = 1 << (signal.SIGTERM - 1)
        wait_until(lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & caught, "the handler")
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=60)
    assert process.returncode == 0
    # The handler is there before the model is opened.
    assert printed == ("", "")


@needs.linux
@pytest.mark.parametrize("command", ["stream", "serve"])
def test_a_service_is_ended_as_the_first_process_of_a_container(model: Path, camera: MjpegServer, command: str) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    needs.program("unshare")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        needs.skip(needs.Need.SYSTEM, "processes in a name space of their own")
    rest = [camera.address, "--json"] if command == "stream" else ["--port", "0"]
    words = [*alone, sys.executable, "-m", "edgecnn", command, str(model), *rest]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_reader_that_has_seen_enough_ends_it(model: Path, camera: MjpegServer) -> None:
    command = [sys.executable, "-m", "edgecnn", "stream", str(model), camera.address, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in errors
    assert "frames classified" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mp4"], "missing.mp4: not found"),
        (["--window", "3", "--min-count", "4", "VIDEO"], "min_count: expected 1 … 3 (the window), got 4"),
        (["gopher://host/camera"], "got the scheme gopher://"),
        (["--hold", "nan", "VIDEO"], "hold"),
    ],
)
def test_wrong_arguments_are_told(model: Path, video: Path, arguments: list[str], message: str) -> None:
    shown = edgecnn_here("stream", model, *(video if word == "VIDEO" else word for word in arguments), code=2)
    assert message in shown
    assert "Traceback" not in shown
