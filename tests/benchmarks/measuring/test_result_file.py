"""bench.json is read back as it was written, and nothing else is taken for one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edgecnn_benchmarks.measuring.result import SCHEMA_VERSION, BenchResult
from edgecnn_benchmarks.measuring.result_file import read_result
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_runtime.errors import InputError


def test_a_result_is_read_as_it_was_written(tiny_result: BenchResult) -> None:
    read = read_result(tiny_result.folder / "bench.json")
    assert read == dataclasses.replace(tiny_result, pictures={})


def test_version_2_is_read_with_the_names_of_today() -> None:
    result = read_result(Path(__file__).with_name("bench-version-2.json"))
    assert [row.name for row in result.rows] == ["mnist_int8.tflite", "mnist_float32.tflite", "mnist_int16x8.tflite"]
    assert [pitfall.kind for pitfall in result.pitfalls] == ["int16x8-reference-kernels"]
    assert result.settings.opening == BenchSettings().opening
    document = result.to_document()
    assert document["schema_version"] == SCHEMA_VERSION
    assert "traps" not in document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 1}, "expected a bench.json of version 4, got version 1; measure again"),
        ({"schema_version": 5}, "got version 5; update edgecnn"),
        ({"schema_version": None}, "expected a bench.json of version 4, got none"),
        ({"rows": 3}, "got a damaged one"),
        ({"rows": [{}]}, "got a damaged one .*rows: 0: expected the key 'name', got none"),
        ({"seconds": "long"}, "got a damaged one .*seconds: expected a number, got 'long'"),
        ({"settings": {"opening": 5}}, "got a damaged one .*settings: opening: expected an object, got 5"),
        ({"pictures": {"0": "x"}}, "got a damaged one .*pictures: 0: expected bytes, got 'x'"),
        ({"seconds": float("nan")}, "got a damaged one .*seconds: expected a number, got nan"),
        ({"reference": "nobody"}, "got a damaged one"),
    ],
)
def test_other_files_are_refused(
    change: dict[str, Any], message: str, tiny_result: BenchResult, tmp_path: Path
) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({**tiny_result.to_document(), **change}))
    with pytest.raises(InputError, match=message):
        read_result(path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"schema_version": 3}', b'{"schema_version": 3, "rows": [1]}', b"[" * 100_000]
)
def test_garbage_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"expected a (complete )?bench\.json.*, got"):
        read_result(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a bench\.json, got No such file"):
        read_result(tmp_path / "absent.json")
