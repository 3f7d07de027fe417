"""Reads `bench.json` back, for those who compare benchmarks."""

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.measuring.result import SCHEMA_VERSION, BenchResult
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.third_party.opening import Opening

FILE = "bench.json"


def find_result(path: Path) -> Path:
    """Return the `bench.json` that a path means: itself, or that of a run or a bench folder.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        if path.exists():
            return path
        raise InputError(f"{path}: not found; expected a {FILE}, or a run folder that was measured")
    for place in (path / "bench" / FILE, path / FILE):
        if place.is_file():
            return place
    raise InputError(f"{path}: expected a folder with bench/{FILE}, got none; measure it with 'edgecnn bench {path}'")


def read_result(path: Path) -> BenchResult:
    """Read a `bench.json`; the images of its flips are not in it.

    Raises:
        InputError: missing, damaged, or of another version of the format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: expected a bench.json, got {error.strerror}; make one with 'edgecnn bench'"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected a bench.json, got no JSON ({error}); measure again") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version not in (SCHEMA_VERSION, SCHEMA_VERSION - 1):
        what = "none" if version is None else f"version {version}"
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        remedy = "update edgecnn" if newer else "measure again with this edgecnn"
        raise InputError(f"{path}: expected a bench.json of version {SCHEMA_VERSION}, got {what}; {remedy}")
    try:
        document = _with_present_names(document)
        result: BenchResult = decode(BenchResult, {**document, "folder": str(path.parent)})
        _check(result)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: expected a complete bench.json, got a damaged one ({error}); measure again"
        ) from error
    return result


def _with_present_names(document: dict[str, Any]) -> dict[str, Any]:
    """Rename the keys that version 2 called otherwise."""
    document = dict(document)
    if "traps" in document:
        document["pitfalls"] = document.pop("traps")
    match document.get("settings"):
        case {"opening": {"only_strangers": third_party_only, **opening}, **settings}:
            document["settings"] = {**settings, "opening": {**opening, "third_party_only": third_party_only}}
    return document


def _check(result: BenchResult) -> None:
    """Refuse what has the right form and makes no sense; ValueError."""
    names = [row.name for row in result.rows]
    if len(set(names)) < len(names) or not {result.reference, result.recommended} <= set(names):
        raise ValueError(f"expected rows of different names, the reference and the recommended among them, got {names}")
    for row in result.rows:
        if not row.rounds or row.batch < 1 or row.size_bytes < 1:
            raise ValueError(f"{row.name}: expected rounds, a batch and a size of at least 1")
        if not all(0 < measured.p50_us < math.inf for measured in row.rounds):
            raise ValueError(f"{row.name}: expected latencies above 0")


def decode(kind: Any, value: Any) -> Any:
    """Make of a JSON value what a type says: a dataclass, a tuple, a path or a plain value; other keys are left out."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return decode(kind, value)
    if kind is Opening:
        return Opening.from_document(value)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, got {value!r}")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(decode(item_kind, item) for item_kind, item in zip(kinds, value, strict=True))
    if origin is dict:
        return {str(key): decode(arguments[1], item) for key, item in value.items()}
    if kind is Path:
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def _decode_dataclass(kind: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object for {kind.__name__}, got {value!r}")
    hints = typing.get_type_hints(kind)
    given = {}
    for field in dataclasses.fields(kind):
        if field.name in value:
            given[field.name] = decode(hints[field.name], value[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(f"{kind.__name__}.{field.name}")
    return kind(**given)
