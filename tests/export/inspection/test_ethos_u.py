"""Arm's compiler Vela, run on files: what it leaves on the CPU and why."""

from pathlib import Path

import needs
import pytest
from ai_edge_litert import schema_py_generated as schema
from needs import Need
from tiny_models import tiny_onnx
from tiny_tflite import TinyOperator, convolution, live, numbers, tiny_tflite

from edgecnn_export.inspection.model import inspect_model
from edgecnn_export.inspection.targets import ethos_u, judge
from edgecnn_export.inspection.verdict import Fit
from edgecnn_runtime.errors import MissingExtraError

needs_vela = needs.mark(ethos_u.vela_command() is not None, Need.PACKAGE, "pip install ethos-u-vela")


@needs_vela
@pytest.mark.parametrize("name", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_int8_runs_on_the_npu(name: str, tmp_path: Path) -> None:
    verdict = ethos_u.judge(inspect_model(convolution(tmp_path / "a model.tflite")), name)
    assert (verdict.answer, verdict.obstacles) == (Fit.YES, ())
    assert verdict.estimate is not None
    assert verdict.estimate.cycles > 0
    assert verdict.estimate.milliseconds > 0
    # The input and the result of the convolution, at least, have to be somewhere.
    assert verdict.estimate.sram + verdict.estimate.dram >= 128 + 144
    assert "MHz" in verdict.estimate.system
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a model.tflite"]


@needs_vela
def test_what_stays_on_the_cpu_is_named_with_velas_reason(tmp_path: Path) -> None:
    """The NPU scales by 2, 4 or 8; a resize to other sizes is what a network of another input size begins with."""
    tensors = [live(1, 8, 8, 3), live(1, 8, 8, 3), numbers(6, 6), live(1, 6, 6, 3), live(1, 6, 6, 3)]
    operators = [
        TinyOperator("RELU", (0,), (1,)),
        TinyOperator("RESIZE_BILINEAR", (1, 2), (3,), schema.ResizeBilinearOptionsT(), {"halfPixelCenters": True}),
        TinyOperator("RELU", (3,), (4,)),
    ]
    verdict = ethos_u.judge(inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators)), "ethos-u55-128")
    assert verdict.answer is Fit.PARTLY
    assert verdict.summary == "1 of 3 operators left on the CPU"
    (obstacle,) = verdict.obstacles
    assert obstacle.what == "RESIZE_BILINEAR (operator 1)"
    assert "scale-factor=0.75" in obstacle.why
    assert "train on images of the size" in obstacle.remedy


@needs_vela
def test_what_vela_cannot_compile_is_a_verdict_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = inspect_model(convolution(tmp_path / "m.tflite"))
    model.path.write_bytes(b"damaged since it was read")
    verdict = ethos_u.judge(model, "ethos-u55-128")
    assert (verdict.answer, verdict.summary) == (Fit.NO, "Vela does not compile it")


@pytest.mark.parametrize(("dtype", "answer"), [("float32", Fit.NO), ("int8", Fit.OPEN)])
def test_without_being_named_an_npu_costs_no_compilation(
    dtype: str, answer: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethos_u, "vela_command", lambda: pytest.fail("Vela was looked for"))
    verdicts = judge(inspect_model(convolution(tmp_path / "m.tflite", dtype=dtype)))
    (verdict,) = (verdict for verdict in verdicts if verdict.target == "ethos-u55-128")
    assert verdict.answer is answer


def test_an_onnx_file_is_refused_before_vela_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethos_u, "vela_command", lambda: None)
    assert ethos_u.judge(inspect_model(tiny_onnx(tmp_path / "m.onnx")), "ethos-u55-128").answer is Fit.NO


def test_a_missing_vela_answers_with_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethos_u, "vela_command", lambda: None)
    with pytest.raises(MissingExtraError, match=r'pip install "edgecnn\[ethos-u\]"'):
        ethos_u.judge(inspect_model(convolution(tmp_path / "m.tflite")), "ethos-u55-128")
