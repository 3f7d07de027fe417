"""One reader for all JSON: what it takes, and a clear error for all that it does not."""

import dataclasses
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgecnn_runtime.json_dataclasses import parse_object, read_dataclass, read_object


class Shade(enum.StrEnum):
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Size:
    height: int
    width: int = 1

    def __post_init__(self) -> None:
        if self.height < 1:
            raise ValueError(f"height: expected at least 1, got {self.height}")


@dataclass(frozen=True)
class Everything:
    text: str
    whole: int
    share: float
    yes: bool
    shade: Shade
    size: Size
    path: Path
    labels: tuple[str, ...]
    triple: tuple[int, float, str]
    rows: tuple[tuple[float, ...], ...]
    versions: Mapping[str, str]
    sizes: dict[str, Size]
    anything: Any
    maybe: int | None = None
    later: tuple[Size, ...] = ()
    made: Mapping[str, float] = field(default_factory=dict)


DOCUMENT: dict[str, Any] = {
    "text": "é",
    "whole": 3,
    "share": 1,
    "yes": True,
    "shade": "dark",
    "size": {"height": 2, "depth": 7},
    "path": "a/b",
    "labels": ["x", "y"],
    "triple": [1, 2, "z"],
    "rows": [[0.5, 1], [0.25]],
    "versions": {"edgecnn": "1"},
    "sizes": {"small": {"height": 1, "width": 4}},
    "anything": [None, {"deep": [1]}],
    "of a later version": 5,
}
READ = Everything(
    text="é",
    whole=3,
    share=1.0,
    yes=True,
    shade=Shade.DARK,
    size=Size(2),
    path=Path("a/b"),
    labels=("x", "y"),
    triple=(1, 2.0, "z"),
    rows=((0.5, 1.0), (0.25,)),
    versions={"edgecnn": "1"},
    sizes={"small": Size(1, 4)},
    anything=[None, {"deep": [1]}],
)


def test_every_type_is_read() -> None:
    read = read_dataclass(Everything, parse_object(json.dumps(DOCUMENT), name="d.json"), name="d.json")
    assert read == READ
    assert type(read.share) is type(read.rows[0][1]) is float
    assert type(read.shade) is Shade


def test_what_asdict_wrote_is_read() -> None:
    full = dataclasses.replace(READ, maybe=4, later=(Size(1), Size(2)), made={"a": 0.5})
    document = json.dumps(dataclasses.asdict(full), default=str)
    assert read_dataclass(Everything, parse_object(document.encode(), name="d.json"), name="d.json") == full


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ('"text": 5', "d.json: text: expected a string, got 5"),
        ('"text": null', "d.json: text: expected a string, got null"),
        ('"whole": 3.0', "d.json: whole: expected an integer of 64 bits, got 3.0"),
        ('"whole": true', "d.json: whole: expected an integer of 64 bits, got true"),
        ('"whole": "3"', "d.json: whole: expected an integer of 64 bits, got '3'"),
        (f'"whole": 1{"0" * 4000}', "d.json: whole: expected an integer of 64 bits, got 10000"),
        ('"maybe": -9223372036854775809', "d.json: maybe: expected an integer of 64 bits, got -9223372036854775809"),
        ('"share": NaN', "d.json: share: expected a number, got nan"),
        ('"share": -Infinity', "d.json: share: expected a number, got -inf"),
        ('"share": 1e999', "d.json: share: expected a number, got inf"),
        (f'"share": 1{"0" * 4000}', "d.json: share: expected a number, got 10000"),
        ('"share": false', "d.json: share: expected a number, got false"),
        ('"yes": 1', "d.json: yes: expected true or false, got 1"),
        ('"shade": "blue"', "d.json: shade: expected one of light, dark, got 'blue'"),
        ('"shade": ["dark"]', "d.json: shade: expected one of light, dark, got a list of 1"),
        ('"size": [1, 2]', "d.json: size: expected an object, got a list of 2"),
        ('"size": {"width": 1}', "d.json: size: expected the key 'height', got none"),
        ('"size": {"height": 0}', "d.json: size: height: expected at least 1, got 0"),
        ('"path": {}', "d.json: path: expected Path, got an object"),
        ('"labels": "xy"', "d.json: labels: expected a list, got 'xy'"),
        ('"labels": ["x", 5]', "d.json: labels: 1: expected a string, got 5"),
        ('"triple": [1, 2]', "d.json: triple: expected a list of 3, got a list of 2"),
        ('"rows": [[1], [0.5, NaN]]', "d.json: rows: 1: 1: expected a number, got nan"),
        ('"versions": ["1"]', "d.json: versions: expected an object, got a list of 1"),
        ('"versions": {"a": 1}', "d.json: versions: a: expected a string, got 1"),
        ('"sizes": {"a": null}', "d.json: sizes: a: expected an object, got null"),
        (f'"text": {"[" * 300}{"]" * 300}', "d.json: text: expected a string, got a list of 1"),
    ],
)
def test_a_hostile_value_is_named_with_its_place(changes: str, message: str) -> None:
    text = json.dumps(DOCUMENT)[:-1] + f", {changes}}}"
    with pytest.raises(ValueError, match=r"^d\.json: ") as caught:
        read_dataclass(Everything, parse_object(text, name="d.json"), name="d.json")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("key", [name for name in DOCUMENT if name != "of a later version"])
def test_a_missing_key_is_named(key: str) -> None:
    document = {name: value for name, value in DOCUMENT.items() if name != key}
    with pytest.raises(ValueError, match=rf"^run\.json: expected the key '{key}', got none$"):
        read_dataclass(Everything, document, name="run.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON document, got none"),
        (b"\xff\xfe\x00", "expected a JSON document, got none"),
        ("{} {}", "expected a JSON document, got none"),
        ("[1, 2]", "expected a JSON object, got a list of 2"),
        ('"text"', "expected a JSON object, got 'text'"),
        ("NaN", "expected a JSON object, got nan"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (f'{{"a": 1{"0" * 5000}}}', "expected a JSON document, got none"),
    ],
)
def test_what_is_no_object_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^run\.json: .*{message}"):
        parse_object(text, name="run.json")


def test_a_file_is_read_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"height": 28}')
    assert read_object(path) == {"height": 28}
    monkeypatch.setattr("edgecnn_runtime.json_dataclasses._MOST_BYTES", len('{"height": 28}') - 1)
    with pytest.raises(ValueError, match=r"run\.json: expected a JSON document of at most 0 MiB, got a larger file"):
        read_object(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": [[]] * 100_001}, "d: rows: expected a list of at most 100,000, got a list of 100001"),
        ({"later": [{"height": 1}] * 100_001}, "d: later: expected a list of at most 100,000, got a list of 100001"),
        (
            {"versions": dict.fromkeys(map(str, range(100_001)), "1")},
            "d: versions: expected an object of at most 100,000 keys, got one of 100,001",
        ),
    ],
)
def test_what_takes_long_to_check_is_refused_by_its_number(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_dataclass(Everything, DOCUMENT | changes, name="d")
    many = {"labels": ["a"] * 200_000, "rows": [[0.5] * 200_000, [1] * 200_000]}
    assert len(read_dataclass(Everything, DOCUMENT | many, name="d").rows[1]) == 200_000
