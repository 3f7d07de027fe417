"""export.json: what an earlier version wrote is kept in today's form, what nobody wrote so counts as none."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgecnn_export.export_index import ExportedFile, record_c_source, write_index
from edgecnn_export.formats import FORMATS
from edgecnn_runtime.accuracy import Accuracy

OLD: dict[str, Any] = {
    "schema_version": 1,
    "model_sha256": "ab",
    "files": [
        {
            "format": "tflite-int8",
            "variant": "qat",
            "file": "m_qat_int8.tflite",
            "kept": True,
            "accuracy": {"correct": 94, "total": 100, "value": 0.94, "interval_95": [0.8752, 0.9722]},
            "accuracy_keras": None,
            "optimization": {"steps": [{"step": "qat", "validation_before": {"correct": 9, "total": 10}}]},
        }
    ],
    "c_source": {"of": "m_qat_int8.tflite", "files": ["m_model_data.h"], "flash_bytes": 5},
}


def _write(folder: Path) -> dict[str, Any]:
    failed = ExportedFile(format=FORMATS["onnx-int8"], path=folder / "m_int8.onnx", seconds=1.0, failure="no")
    write_index(folder, [failed], model_sha256="ab")
    document: dict[str, Any] = json.loads((folder / "export.json").read_text())
    return document


def test_entries_of_an_earlier_version_are_kept_in_the_form_of_today(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(OLD))
    document = _write(tmp_path)
    old, new = document["files"]
    assert document["schema_version"] == 2
    assert new["format"] == "onnx-int8"
    assert old["accuracy"] == Accuracy(94, 100).to_document()
    assert old["optimization"]["steps"][0]["validation_before"] == Accuracy(9, 10).to_document()
    assert (old["file"], old["kept"], old["accuracy_keras"]) == ("m_qat_int8.tflite", True, None)
    assert document["c_source"] == OLD["c_source"]


def test_entries_of_this_version_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps(OLD))
    first = _write(tmp_path)
    record_c_source(tmp_path, {"of": "x.tflite", "files": []})
    assert _write(tmp_path) == first | {"c_source": {"of": "x.tflite", "files": []}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"schema_version": 2, "files": ' + '{"a":' * 400 + "1" + "}" * 401,
        json.dumps(OLD | {"schema_version": 99}),
        json.dumps(OLD | {"files": 5}),
        json.dumps(OLD | {"files": [{"format": "tflite-int8"}]}),
        json.dumps(OLD | {"files": [{**OLD["files"][0], "file": ["../../x"]}]}),
        json.dumps(OLD | {"files": [{**OLD["files"][0], "accuracy": {"correct": 9, "total": 3}}]}),
        json.dumps(OLD | {"c_source": {"files": ["x"]}}),
    ],
)
def test_a_hostile_index_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.json").write_text(text)
    document = _write(tmp_path)
    assert [entry["format"] for entry in document["files"]] == ["onnx-int8"]
    assert "c_source" not in document
