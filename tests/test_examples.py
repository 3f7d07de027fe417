"""The programs in examples/ run as they stand, or compile where a chip would have to run them."""

import os
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
from micro import write_micro_headers
from numpy.typing import NDArray
from tiny_classifier import tiny_classifier

from edgecnn_export.micro.c_source import CSource, write_c_source
from edgecnn_export.micro.operators import resolver_methods
from edgecnn_runtime.workstation.run_folder import RunFolder

EXAMPLES = Path(__file__).parents[1] / "examples"

# What line_sorter.py uses of gpiozero; it tells on stderr what happens to the pin.
GPIOZERO = """
import sys

class DigitalOutputDevice:
    def __init__(self, pin):
        self._pin, self._value = pin, 0

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        self._value = int(value)
        print("pin", self._pin, self._value, file=sys.stderr)

    def off(self):
        self.value = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        print("pin", self._pin, "given back", file=sys.stderr)
"""


def test_classify_names_each_image_and_survives_a_bad_one(
    exported_run: RunFolder, digit_files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    images = [*digit_files[::10], tmp_path / "broken.jpg"]
    command = [sys.executable, EXAMPLES / "classify.py", exported_run.exported("int8", ".tflite"), *images]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(images)
    assert all(line.startswith(f"{image}: ") for line, image in zip(lines, images, strict=True))
    assert "whole JPEG, PNG" in lines[-1]


@pytest.fixture(scope="module")
def video(
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[int]]:
    """A film of digits that stand for parts on a belt, with one frame that does not belong; and which they are."""
    needs.package("cv2", "edgecnn[camera]")
    from video_files import write_video

    images, labels = digits
    shown = [3] * 6 + [1] + [3] * 5 + [1] * 8 + [0] * 6
    first = {
        label: images[labels == label][0].repeat(4, axis=0).repeat(4, axis=1).repeat(3, axis=2) for label in (0, 1, 3)
    }
    return write_video(tmp_path_factory.mktemp("video") / "belt.avi", [first[label] for label in shown]), shown


def test_the_camera_loop_answers_each_frame_of_a_video(exported_run: RunFolder, video: tuple[Path, list[int]]) -> None:
    path, shown = video
    command = [sys.executable, EXAMPLES / "camera_loop.py", exported_run.exported("int8", ".tflite"), path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [str(label) for label in shown]
    assert all(line.endswith(" ms old, 0 dropped") for line in lines)


def sort(model: Path, source: Path, reject: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "gpiozero.py").write_text(GPIOZERO)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, EXAMPLES / "line_sorter.py", model, source, "--reject", reject, "--pin", "17"]
    command += ["--threshold", "0.5", "--hold", "0"]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_sorter_opens_its_gate_for_a_part_and_not_for_one_odd_frame(
    exported_run: RunFolder, video: tuple[Path, list[int]], tmp_path: Path
) -> None:
    done = sort(exported_run.exported("int8", ".tflite"), video[0], "1", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["3: gate closed", "1: gate open", "0: gate closed"]
    pins = [line for line in done.stderr.splitlines() if line.startswith("pin")]
    assert pins == ["pin 17 0", "pin 17 1", "pin 17 0", "pin 17 0", "pin 17 given back"]


def test_the_sorter_names_the_labels_for_a_wrong_one(exported_run: RunFolder, tmp_path: Path) -> None:
    done = sort(exported_run.exported("int8", ".tflite"), tmp_path, "scratch", tmp_path)
    assert done.returncode == 2
    assert "--reject: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, got scratch" in done.stderr
    assert "pin" not in done.stderr.replace("--pin", "")


def test_gpiozero_itself_takes_the_sorter(exported_run: RunFolder, video: tuple[Path, list[int]]) -> None:
    needs.package("gpiozero")
    command = [sys.executable, EXAMPLES / "line_sorter.py", exported_run.exported("int8", ".tflite"), video[0]]
    environment = {**os.environ, "GPIOZERO_PIN_FACTORY": "mock"}
    done = subprocess.run(
        [*command, "--reject", "1", "--pin", "17"], env=environment, capture_output=True, text=True, check=True
    )
    assert "1: gate open" in done.stdout


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = needs.program("systemd-analyze", install="systemd")
    unit = (EXAMPLES / "line-sorter.service").read_text()
    # systemd looks whether the programs are there; on this machine others stand in.
    assert {line.split()[0] for line in unit.splitlines() if line.startswith("ExecStart")} == {
        "ExecStartPre=/opt/sorter/bin/edgecnn",
        "ExecStart=/opt/sorter/bin/python",
    }
    (tmp_path / "line-sorter.service").write_text(
        unit.replace("/opt/sorter/bin/edgecnn", sys.executable).replace("/opt/sorter/bin/python", sys.executable)
    )
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "line-sorter.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def c_source(tmp_path: Path) -> CSource:
    return write_c_source(tiny_classifier(tmp_path / "parts.tflite", arena_bytes=20_000))


def compile_main(source: CSource, *more: str | Path) -> None:
    compiler = needs.program("g++")
    strict = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", source.header.parent)
    names = (f'-DMODEL_HEADER="{source.header.name}"', "-DMODEL=parts_model")
    command = [compiler, *strict, *names, *more, EXAMPLES / "microcontroller" / "main.cc", source.source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_microcontrollers_program_shows_what_the_array_holds(c_source: CSource, tmp_path: Path) -> None:
    compile_main(c_source, "-o", tmp_path / "main")
    lines = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0].endswith(f"{len(c_source.operators)} operators")
    assert lines[1] == "input: 16 x 20 x 3, scale 1, zero point 0"
    assert lines[-3:] == ["0: crack", "1: dent", "2: whole"]


def test_the_microcontrollers_main_loop_fits_tflite_micro(c_source: CSource, tmp_path: Path) -> None:
    write_micro_headers(tmp_path, resolver_methods(c_source.operators))
    # Only compiled: the stand-ins for TFLite-Micro's headers have nothing behind them.
    compile_main(c_source, "-fsyntax-only")


def test_every_example_is_tested() -> None:
    tested = {"classify.py", "camera_loop.py", "line_sorter.py", "line-sorter.service", "main.cc"}
    assert {path.name for path in EXAMPLES.rglob("*.*")} == tested
