"""`edgecnn inspect quantization`: what is told of each operator, and of the whole."""

import json
from pathlib import Path

import pytest
from conftest import edgecnn_here
from PIL import Image

from edgecnn_runtime.workstation.run_folder import RunFolder


def test_every_operator_is_told(exported_run: RunFolder) -> None:
    told = json.loads(edgecnn_here("inspect", "quantization", exported_run.path, "--images", "60", "--json"))
    assert told["images"] == 60
    operators = {entry["label"]: entry for entry in told["operators"]}
    assert [entry["kind"] for entry in operators.values()] == [
        "CONV_2D", "CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"
    ]  # fmt: skip
    assert all(entry["signal_to_noise_db"] > 20 for entry in operators.values())
    assert all(0 <= entry["saturated"] < 0.01 for entry in operators.values())
    # The last layer with weights and the softmax are computed in float32.
    assert [entry["regained_points"] is None for entry in operators.values()] == [False] * 5 + [True] * 2
    first = told["operators"][0]
    assert first["scale"] == pytest.approx((first["high"] - first["low"]) / 255)
    assert told["int8"]["expected_loss_points"] < 1
    assert told["weights"]["expected_loss_points"] < 1
    assert told["mistakes"]["pixels 0…1 instead of 0…255"]["drop_points"] > 20
    assert "BGR instead of RGB" not in told["mistakes"]  # the digits are grey
    with Image.open(told["figure"]) as figure:
        assert figure.format == "PNG"


def test_a_file_stands_for_its_run(exported_run: RunFolder) -> None:
    file = exported_run.exported("int8", ".tflite")
    printed = edgecnn_here("inspect", "quantization", file, "--images", "10")
    assert "rounded weights alone" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: not found; expected a run folder"),
        (("RUN", "--images", "0"), "images: expected 1 or more, got 0"),
        (("RUN", "--calibration", "mean"), "calibration: expected one of minmax, percentile, entropy, got 'mean'"),
    ],
)
def test_bad_input_is_a_plain_message(
    exported_run: RunFolder, arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    words = [str(exported_run.path) if word == "RUN" else word for word in arguments]
    printed = edgecnn_here("inspect", "quantization", *words, code=2, cwd=tmp_path)
    assert message in printed
    assert "Traceback" not in printed
