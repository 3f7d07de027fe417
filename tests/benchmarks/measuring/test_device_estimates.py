"""What a benchmark says of microcontrollers and NPUs that are not here, and where it is shown."""

import dataclasses
import json
from pathlib import Path

import needs
import pytest
from conftest import edgecnn
from made_bench import made_result
from needs import Need
from tiny_models import tiny_onnx
from tiny_tflite import convolution

from edgecnn.workflows.small_devices import estimate_small_devices
from edgecnn_benchmarks.measuring.candidates import name_candidates
from edgecnn_benchmarks.measuring.device_estimates import DeviceEstimate, FileEstimate
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_benchmarks.report.page import render
from edgecnn_benchmarks.report.terminal import device_table
from edgecnn_export.inspection.memory import peak_activations
from edgecnn_export.inspection.targets import ethos_u
from edgecnn_export.inspection.targets.boards import BOARDS
from edgecnn_export.tflite.read_graph import read_tflite


@pytest.fixture
def estimate(tmp_path: Path) -> FileEstimate:
    (found,) = estimate_small_devices(name_candidates([convolution(tmp_path / "tiny_int8.tflite")]))
    return found


def test_full_integer_tflite_files_are_estimated_and_no_others(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"no model")
    files = [
        convolution(tmp_path / "tiny_float32.tflite", dtype="float32"),
        convolution(tmp_path / "tiny_int8.tflite"),
        tiny_onnx(tmp_path / "tiny_int8.onnx"),
        damaged,
    ]
    assert [found.file for found in estimate_small_devices(name_candidates(files))] == ["tiny_int8.tflite"]


def test_it_is_the_inspections_own_figures(estimate: FileEstimate, tmp_path: Path) -> None:
    peak = peak_activations(read_tflite(tmp_path / "tiny_int8.tflite"))
    assert peak is not None
    assert (estimate.arena_bytes, estimate.arena_measured) == (peak.size, False)
    assert estimate.operators == ("CONV_2D", "FULLY_CONNECTED", "RESHAPE")
    assert "3 kinds of operators: CONV_2D, FULLY_CONNECTED, RESHAPE" in estimate.needs
    boards = {board.name: (board.flash, board.ram) for board in BOARDS.values() if board.flash is not None}
    assert {d.device: (d.flash_bytes, d.ram_bytes) for d in estimate.devices if d.ram_bytes} == boards
    assert {d.answer for d in estimate.devices if d.ram_bytes} == {"yes"}


@needs.mark(ethos_u.vela_command() is not None, Need.PACKAGE, "pip install ethos-u-vela")
def test_velas_cycles_are_among_them(estimate: FileEstimate) -> None:
    (npu,) = [device for device in estimate.devices if device.device == "ethos-u55-128"]
    assert npu.answer == "yes"
    assert npu.cycles is not None
    assert npu.system is not None
    assert "MHz" in npu.system
    assert npu.because.startswith(f"{npu.cycles:,} cycles, ")


def test_the_terminal_shows_the_fastest_file_and_points_to_the_others(tmp_path: Path) -> None:
    made = made_result(tmp_path)
    (estimate,) = made.device_estimates
    others = dataclasses.replace(estimate, file="mnist_float32.tflite")
    shown = device_table(dataclasses.replace(made, device_estimates=(others, estimate)))
    assert shown is not None
    (heads, rows), below = shown
    assert heads == ["device (estimate)", "runs", "because"]
    assert rows[1] == ["ethos-u55-128", "yes", "812,345 cycles, 1.62 ms; all operators"]
    assert "They are for mnist_int8.tflite: TFLite-Micro needs an arena of 62.5 KiB" in below
    assert below.endswith("The report has those of 1 more.")
    assert device_table(dataclasses.replace(made, device_estimates=())) is None


def test_without_vela_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethos_u, "vela_command", lambda: None)
    (found,) = estimate_small_devices(name_candidates([convolution(tmp_path / "tiny_int8.tflite")]))
    (npu,) = [device for device in found.devices if device.device == "ethos-u55-128"]
    assert (npu.answer, npu.cycles) == ("not checked", None)
    assert 'pip install "edgecnn[ethos-u]"' in npu.summary


def test_names_of_files_and_machines_are_only_text_in_the_report(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    device = DeviceEstimate(hostile, hostile, hostile, hostile, cycles=1, milliseconds=1.0, system=hostile)
    result = made_result(tmp_path)
    estimate = FileEstimate(result.rows[0].file, 1024, True, (hostile,), (device,))
    page = render(dataclasses.replace(result, host=hostile, device_estimates=(estimate,)))
    assert hostile not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6


def test_they_stand_in_the_table_the_document_and_the_report(tmp_path: Path) -> None:
    model = convolution(tmp_path / "tiny_int8.tflite", channels=1)
    options = (
        "--rounds",
        "1",
        "--runs",
        "3",
        "--warmup",
        "1",
        "--starts",
        "1",
        "--labels",
        "a,b,c",
        "--output-is",
        "logits",
        "--engine",
        "litert",
    )
    printed = edgecnn("bench", model, *options, "--output", tmp_path / "out")
    assert "device (estimate)" in printed
    assert "Estimates: nothing was measured on these devices." in printed.replace("\n", " ")
    assert all(len(line) <= 110 for line in printed.splitlines())
    document = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [item["file"] for item in document["device_estimates"]] == [model.name]
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Estimates for other devices" in report
    assert "Raspberry Pi Pico (RP2040" in report
    again = read_result(tmp_path / "out" / "bench.json")
    assert again.device_estimates == estimate_small_devices(name_candidates([model]))
