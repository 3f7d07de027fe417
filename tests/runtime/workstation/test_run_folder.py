"""run.json: read as it was written, by this version, an earlier and a later one; an error where it is damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Colour, Decode, InputSpec
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord

# As the first version wrote it: no `decode`, no licence.
OLD: dict[str, Any] = {
    "name": "digits",
    "recipe": {"name": "mnist", "epochs": 2, "learning_rate": 1.0, "schedule": None},
    "labels": ["0", "1"],
    "input": {"height": 28, "width": 28, "colour": "grey", "resize": "squash", "background": [255, 255, 255]},
    "data_name": "mnist",
    "data_folder": "sets/mnist",
    "data_fingerprint": "ab" * 32,
    "seed": 3,
    "command": "edgecnn train mnist",
    "versions": {"edgecnn": "0.1.0"},
    "timings": {"total": 12},
}
RECORD = RunRecord(
    name="digits",
    recipe=OLD["recipe"],
    labels=("0", "1"),
    input=InputSpec(28, 28, Colour.GREY, decode=Decode.FULL),
    data_name="mnist",
    data_folder="sets/mnist",
    data_fingerprint="ab" * 32,
    seed=3,
    command="edgecnn train mnist",
    versions={"edgecnn": "0.1.0"},
    timings={"total": 12.0},
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_record(RECORD)
    assert RunFolder(tmp_path).read_record() == RECORD


@pytest.mark.parametrize("later", [{}, {"portions": {"train": 9}, "input": {**OLD["input"], "filter": "area"}}])
def test_records_of_earlier_and_later_versions_are_read(tmp_path: Path, later: dict[str, Any]) -> None:
    (tmp_path / "run.json").write_text(json.dumps(OLD | later))
    assert RunFolder(tmp_path).read_record() == RECORD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON document, got none"),
        (b"\xff", "expected a JSON document, got none"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps(OLD | {"labels": "01"}), "labels: expected a list, got '01'; train again"),
        (json.dumps(OLD | {"seed": 3.5}), "seed: expected an integer of 64 bits, got 3.5; train again"),
        (json.dumps(OLD | {"timings": {"total": float("nan")}}), "timings: total: expected a number, got nan"),
        (json.dumps(OLD | {"input": {**OLD["input"], "height": 0}}), "input: input size: expected at least 1x1"),
        (json.dumps({**OLD, "seed": None}), "seed: expected an integer of 64 bits, got null"),
        ("{}", "expected the key 'name', got none"),
    ],
)
def test_a_damaged_record_says_where(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as caught:
        RunFolder(tmp_path).read_record()
    assert str(caught.value).startswith(str(path))
