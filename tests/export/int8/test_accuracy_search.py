"""The climb from plain int8 to what keeps the accuracy, on a network that plain int8 destroys."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import edgecnn_here

from edgecnn_export.int8.accuracy_search import neighbours
from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.workstation.run_folder import RunFolder


@pytest.fixture
def badly_scaled(small_trained_run: RunFolder, tmp_path: Path) -> RunFolder:
    """The trained run with channels of very different size between its convolutions; in float32 it is the same."""
    import keras

    shutil.copytree(small_trained_run.path, tmp_path / "digits", ignore=shutil.ignore_patterns("export", "bench"))
    run = RunFolder(tmp_path / "digits")
    model = keras.models.load_model(run.model)
    first, second = [layer for layer in model.get_layer("core").layers if isinstance(layer, keras.layers.Conv2D)][:2]
    scales = np.logspace(-2.5, 2.5, first.filters)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * scales, bias * scales])  # ReLU passes a positive factor on
    kernel, bias = second.get_weights()
    second.set_weights([kernel / scales[:, np.newaxis], bias])
    model.save(run.model)
    return run


@pytest.mark.parametrize("name", ["tflite-int8", pytest.param("onnx-int8", marks=pytest.mark.slow)])
def test_a_network_that_plain_int8_destroys_is_repaired(badly_scaled: RunFolder, name: str) -> None:
    printed = edgecnn_here("export", badly_scaled.path, "--format", name, "--max-drop", "0.5")
    assert "plain int8 could lose too much. Candidates," in printed
    index = json.loads((badly_scaled.export / "export.json").read_text())
    (entry,) = index["files"]
    first, *_, taken = entry["accuracy_search"]
    assert first["candidate"] == "int8, minmax, 200 images"
    assert first["drop_points"] > 1
    assert taken["drop_points"] <= 0.5
    assert taken["in_float"]
    assert f"in float32: {taken['in_float'][0]}" in printed
    assert entry["kept"]
    assert entry["drop_points"] <= 0.5
    # A file that is not integers throughout has another name.
    container = name.partition("-")[0]
    path = badly_scaled.exported("int8-mixed", f".{container}")
    assert path.exists()
    assert not badly_scaled.exported("int8", f".{container}").exists()
    assert list(Classifier.open(path).manifest.in_float) == taken["in_float"]


def test_a_network_that_int8_keeps_is_searched_no_further(exported_run: RunFolder) -> None:
    index = json.loads((exported_run.export / "export.json").read_text())
    tried = {
        entry["format"]: [candidate["candidate"] for candidate in entry.get("accuracy_search", [])]
        for entry in index["files"]
    }
    plain = ["int8, minmax, 200 images"]
    assert {name: candidates for name, candidates in tried.items() if candidates} == {
        "tflite-int8": plain,
        "onnx-int8": plain,
    }


def test_what_is_calibrated_by_another_method_says_so(badly_scaled: RunFolder) -> None:
    edgecnn_here(
        "export", badly_scaled.path, "--format", "tflite-int8", "--calibration", "percentile", "--max-drop", "100"
    )
    index = json.loads((badly_scaled.export / "export.json").read_text())
    assert index["files"][0]["calibration"]["method"] == "percentile"


def test_an_unknown_method_is_refused(trained_run: RunFolder) -> None:
    printed = edgecnn_here("export", trained_run.path, "--int8", "--calibration", "average", code=2)
    assert "calibration: expected one of minmax, percentile, entropy, got 'average'" in printed


@pytest.mark.parametrize(
    ("weighted", "groups", "expected"),
    [("w.w.wf", 8, ["w.", "w."]), ("..w.ww.wf", 2, ["..w.w", "w."]), ("wf", 3, []), (".wf", 3, ["."])],
)
def test_groups_are_neighbours(weighted: str, groups: int, expected: list[str]) -> None:
    class Graph:
        operators = tuple(
            FloatOperator(kind, str(number), (), (str(number),), kind == "w") for number, kind in enumerate(weighted)
        )

    made = ["".join(operator.kind for operator in group) for group in neighbours(Graph(), groups)]  # type: ignore[arg-type]
    assert made == expected
