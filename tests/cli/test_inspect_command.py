"""`edgecnn inspect` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import edgecnn, edgecnn_here
from tiny_models import tiny_onnx
from tiny_tflite import convolution

from edgecnn_export.tflite.manifest import embed_in_tflite
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = convolution(tmp_path / "parts_int8.tflite")
    manifest = Manifest("parts", ("crack", "dent", "whole"), InputSpec(8, 8, Colour.GREY), Scheme.INT8)
    path.write_bytes(embed_in_tflite(path.read_bytes(), manifest))
    return path


def test_the_model_view_is_the_usual_one_and_fits_100_columns(model: Path) -> None:
    shown = edgecnn_here("inspect", model, "--tensors")
    assert shown == edgecnn_here("inspect", "model", model, "--tensors")
    for expected in (
        "pixels 1x8x8x2 int8, scale 0.1, zero point 0",
        "3,024 multiply-accumulates",
        "parts, int8",
        "3: crack, dent, whole",
        "8x8 grey by squash, filter bilinear; transparent pixels and padding show white",
        "int8, 4 scales",
        "0.1…0.4",
        "all 3 operators are in its list",
        "ask with --target ethos-u55-128",
        "raspberry-pi-pico",
    ):
        assert expected in " ".join(shown.split()), expected
    assert max(map(len, shown.splitlines())) <= 100


def test_what_is_in_the_way_stands_with_what_removes_it(tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path / "parts_float32.onnx")
    shown = " ".join(edgecnn_here("inspect", "-t", "tflite-micro", "-t", "onnxruntime", path).split())
    assert "tflite-micro: it takes TFLite files -> use parts_int8-signed.tflite" in shown
    assert "edgecnn export RUN --int8 --io int8" in shown
    assert "opens it" in shown


def test_what_a_third_party_file_leaves_open_is_said(tmp_path: Path) -> None:
    shown = " ".join(edgecnn_here("inspect", convolution(tmp_path / "parts.tflite")).split())
    assert "what transparent pixels show, is assumed wherever the file is run (white, as a rule)" in shown


def test_json_is_one_document_with_everything(model: Path) -> None:
    document = json.loads(edgecnn("inspect", "--json", model, "--target", "tflite-micro", "--target", "esp32-s3"))
    assert (document["macs"], document["parameters"], document["bytes"]) == (3024, 508, model.stat().st_size)
    assert [operator["kind"] for operator in document["operators"]] == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    assert document["tensors"][1]["quantization"]["scales"] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert document["manifest"]["labels"] == ["crack", "dent", "whole"]
    assert [(entry["target"], entry["answer"]) for entry in document["targets"]] == [
        ("tflite-micro", "yes"),
        ("esp32-s3", "yes"),
    ]
    assert document["targets"][1]["board"]["ram"] == 512 * 1024


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.tflite",), "error: nowhere.tflite: not found; expected a model file"),
        (("README.md",), "expected a model file (.tflite or .onnx), got .md"),
        (("MODEL", "--target", "mars"), "got 'mars'"),
        (("MODEL", "--target", "flash=1M"), "expected a board such as flash=1M,ram=256K"),
    ],
)
def test_wrong_use_is_a_plain_message_and_exit_2(arguments: tuple[str, ...], message: str, model: Path) -> None:
    printed = edgecnn_here("inspect", *(str(model) if word == "MODEL" else word for word in arguments), code=2)
    assert message in printed
    assert "Traceback" not in printed


def test_help_is_that_of_the_usual_view() -> None:
    for arguments in ((), ("--help",), ("model", "--help")):
        assert "--target" in edgecnn_here("inspect", *arguments)


def test_inspecting_loads_no_training_framework(model: Path) -> None:
    """It answers within a second or two; TensorFlow alone takes longer to import."""
    program = (
        f"import sys; sys.argv = ['edgecnn', 'inspect', {str(model)!r}]\n"
        "from edgecnn.app import command_line; command_line()(standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
