"""`edgecnn serve` as a user runs it: addresses, tokens, signals, a video, and wrong arguments."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import needs
import numpy as np
import pytest
from conftest import edgecnn, hear_interrupts
from PIL import Image
from running_server import Address, png
from tiny_models import tiny_onnx
from typer.testing import CliRunner
from waiting import wait_until

from edgecnn.app import command_line
from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.system.cpu import available_cpus

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_onnx(tmp_path_factory.mktemp("model") / "tiny.onnx")


@contextlib.contextmanager
def serving(model: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[tuple["Served", Address]]:
    """Run the command on a free port until the block ends."""
    command = [sys.executable, "-m", "edgecnn", "serve", str(model), "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        preexec_fn=hear_interrupts,
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                assert process.stderr is not None
                raise AssertionError(process.stderr.read())
            yield Served(process, first), Address(int(first.partition("127.0.0.1:")[2].partition("/")[0]))
        finally:
            process.kill()


class Served:
    """A running command, and the line it began with."""

    def __init__(self, process: "subprocess.Popen[str]", first: str) -> None:
        self.process, self.first = process, first

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and all that was printed."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        # Not `communicate`, which passes over what came with the first line.
        said = self.first + self.process.stdout.read() + self.process.stderr.read()
        return self.process.wait(timeout=30), said


def test_it_serves_until_ctrl_c(model: Path) -> None:
    with serving(model) as (served, address), socket.create_connection(("127.0.0.1", address.port)) as half:
        assert served.first == f"tiny: {address.url}  (Ctrl-C ends it)\n"
        assert address.classify(png(250)).document["results"][0]["label"] == "bright"
        assert address.ask("/").status == 200
        half.sendall(b"GET / HTTP/1.1\r\nHost:")  # nobody waits for the rest of it
        code, said = served.end(signal.SIGINT)
    assert code == 0
    assert said.splitlines()[1:] == ["ended"]


def test_a_json_document_for_programs_and_an_end_by_systemd(model: Path) -> None:
    command = [sys.executable, "-m", "edgecnn", "serve", str(model), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while "}\n" not in lines:
            lines.append(process.stdout.readline())
            assert lines[-1], f"it ended: {lines}"
        document = json.loads("".join(lines))
        process.terminate()
        assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 0
    assert document["model"] == "tiny"
    assert document["camera"] is False
    assert document["url"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("token", [TOKEN, "short"])
def test_another_address_with_a_token(token: str, model: Path) -> None:
    options = ["--host", "0.0.0.0", *(["--token", token] if token == "short" else [])]
    with serving(model, *options, env={"EDGECNN_TOKEN": TOKEN}) as (served, address):
        assert served.first.endswith("/#token=<your token>  (Ctrl-C ends it)\n")
        assert address.ask("/v1/model").status == 401
        assert address.ask("/v1/model", headers={"Authorization": f"Bearer {token}"}).status == 200
        assert address.ask("/", headers={"Host": "device.example"}).status == 421
        _, said = served.end(signal.SIGTERM)
    assert said.splitlines()[1] == (
        f"from other machines: http://{socket.gethostname()}:{address.port}/#token=<your token>"
    )
    assert TOKEN not in said
    assert ("warning: the token has 5 characters and can be guessed" in said) == (token == "short")


def test_options_reach_the_server(model: Path) -> None:
    options = ["--host", "0.0.0.0", "--no-auth", "--allow-host", "device.example", "--max-body", "2", "--max-pixels"]
    with serving(model, *options, "0.5", "--max-images", "7", "--concurrency", "9", "--workers", "1") as (_, address):
        document = address.ask("/v1/model", headers={"Host": "device.example:80"}).document
        assert document["limits"] == {"body_bytes": 2 * 2**20, "pixels": 500_000, "images": 7, "concurrency": 9}
        assert b"edgecnn_workers 1\n" in address.ask("/metrics").body


def test_a_video_is_served_as_a_camera(model: Path, tmp_path: Path) -> None:
    needs.package("cv2", "edgecnn[camera]")
    from video_files import MjpegServer

    pictures = [np.full((48, 64, 3), value, np.uint8) for value in (230, 231, 232)]
    camera = MjpegServer(pictures, endless=True)
    source = camera.address.replace("http://", "http://me:secret@")
    with camera.running(), serving(model, "--source", source) as (served, address):
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/stream")
            answer = connection.getresponse()
            while b'"label": "bright"' not in (line := answer.readline()):
                assert line, "the stream has ended"
            assert address.ask("/v1/frame.jpg").body[:2] == b"\xff\xd8"
            assert address.ask("/v1/model").document["camera"]["state"] == "live"
            with socket.create_connection(("127.0.0.1", address.port)) as leaving:
                leaving.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                leaving.recv(100)
            code, said = served.end(signal.SIGTERM)  # with the event stream open
            answer.read()
    assert code == 0
    assert said.splitlines()[1:] == ["ended"]  # no password, and nothing about viewers that come and go


def test_the_lines_of_the_guide_run_as_written(model: Path, tmp_path: Path) -> None:
    needs.package("cv2", "edgecnn[camera]")
    needs.program("curl")
    from video_files import MjpegServer, red

    guide = (Path(__file__).parents[2] / "docs" / "on-the-device.md").read_text()
    lines = [line for line in guide.splitlines() if line.startswith("curl ")]
    assert len(lines) == 8
    for name in ("part.jpg", "other.png"):
        Image.new("L", (20, 20), 250).save(tmp_path / name)
    camera = MjpegServer([red(value) for value in (1, 2, 3)], endless=True)
    with camera.running(), serving(model, "--source", camera.address) as (_, address):
        for line in lines:
            command = line.replace(":8000/", f":{address.port}/").replace(
                "curl ", "curl --silent --fail --max-time 3 ", 1
            )
            done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == (28 if "-N" in line else 0), (line, done)  # 28: the stream has no end
            assert "now.jpg" in line or done.stdout
            if "--data-binary" in line:
                assert json.loads(done.stdout)["results"][0]["label"] == "bright"
        assert (tmp_path / "now.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_a_video_file_that_ends_is_told(model: Path, tmp_path: Path) -> None:
    needs.package("cv2", "edgecnn[camera]")
    from video_files import red, write_video

    video = write_video(tmp_path / "short.avi", [red(9)] * 3)
    with serving(model, "--source", str(video)) as (_, address):
        wait_until(lambda: address.ask("/v1/model").document["camera"]["state"] == "ended", "the video to end")
        assert address.ask("/healthz").document == {"status": "ok", "camera": "ended"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "::"], "--host ::: expected a token"),
        (["--token", "a b"], "token: expected no spaces"),
        (["--token", "grün"], "token: expected printable ASCII characters"),
        (["--token", TOKEN, "--no-auth"], "expected --token or --no-auth, got both"),
        (["--workers", str(available_cpus() + 1)], f"workers: expected 1 … {available_cpus()} (the processors)"),
        (["--max-pixels", "1000"], "pixels: expected at most 200,000,000"),
        (["--max-pixels", "0"], "pixels: expected at least 1"),
        (["--timeout", "0"], "seconds: expected more than 0"),
        (["--timeout", "nan"], "seconds: expected more than 0"),
        (["--window", "3", "--min-count", "4"], "min_count: expected 1 … 3 (the window), got 4"),
        (["--host", "192.0.2.1", "--no-auth"], "192.0.2.1:0: expected an address or name of this machine"),
        (["--source", "nothing.mp4"], "nothing.mp4"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments(options: list[str], words: str, model: Path) -> None:
    result = CliRunner().invoke(command_line(), ["serve", str(model), "--port", "0", *options])
    assert isinstance(result.exception, InputError), result.output
    assert str(result.exception).startswith(words)


def test_another_address_without_a_token(model: Path) -> None:
    said = edgecnn("serve", model, "--port", "0", "--host", "0.0.0.0", code=2)
    assert said == (
        "error: --host 0.0.0.0: expected a token, got none; others can reach this address: set EDGECNN_TOKEN, "
        "give --token, or let everybody in with --no-auth\n"
    )


def test_a_port_in_use(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command_line(), ["serve", str(model), "--port", str(port)])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"127.0.0.1:{port}: expected a free port, got one in use; choose another with --port (0 finds one)"
    )


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "python_multipart"])
def test_without_the_extra(package: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = CliRunner().invoke(command_line(), ["serve", str(model)])
    assert isinstance(result.exception, MissingExtraError)
    assert str(result.exception).endswith('which is not installed; run: pip install "edgecnn[serve]"')


def test_a_model_that_others_made(tmp_path: Path) -> None:
    strange = tiny_onnx(tmp_path / "strange.onnx", manifest=False)
    with serving(strange, "--labels", "night,day") as (served, address):
        assert address.classify(png(250)).document["results"][0]["label"] == "day"
        document = address.ask("/v1/model").document
        assert document["labels"] == ["night", "day"]
        _, said = served.end(signal.SIGTERM)
    assumed = [line.removeprefix("assumed: ") for line in said.splitlines() if line.startswith("assumed: ")]
    assert document["assumed"] == assumed != []
