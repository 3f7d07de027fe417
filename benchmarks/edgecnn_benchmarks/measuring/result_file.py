"""Reads `bench.json` back, for those who compare benchmarks."""

import math
from pathlib import Path
from typing import Any

from edgecnn_benchmarks.measuring.result import SCHEMA_VERSION, BenchResult
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object

FILE = "bench.json"
# The oldest version that is still read.
_OLDEST = 2


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
        document = read_object(path, name=FILE)
    except OSError as error:
        raise InputError(
            f"{path}: expected a bench.json, got {error.strerror or error}; make one with 'edgecnn bench'"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: expected a bench.json, got another file ({error}); measure again") from error
    version = document.get("schema_version")
    if version not in range(_OLDEST, SCHEMA_VERSION + 1):
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise InputError(
            f"{path}: expected a bench.json of version {SCHEMA_VERSION}, got "
            f"{'none' if version is None else f'version {version}'}; "
            f"{'update edgecnn' if newer else 'measure again with this edgecnn'}"
        )
    try:
        document = {**_with_present_names(document), "folder": str(path.parent)}
        result = read_dataclass(BenchResult, document, name=FILE)
        _check(result)
    except ValueError as error:
        raise InputError(f"{path}: expected a complete {FILE}, got a damaged one ({error}); measure again") from error
    return result


def _with_present_names(document: dict[str, Any]) -> dict[str, Any]:
    """Rename the keys that version 2 called otherwise, and add what version 3 did not tell apart: file and engine."""
    document = dict(document)
    for part in ("rows", "answers"):
        match document.get(part):
            case list(items):
                document[part] = [_with_candidate(item) for item in items]
    if "traps" in document:
        document["pitfalls"] = document.pop("traps")
    match document.get("settings"):
        case {"opening": {"only_strangers": third_party_only, **opening}, **settings}:
            document["settings"] = {**settings, "opening": {**opening, "third_party_only": third_party_only}}
    return document


def _with_candidate(item: Any) -> Any:
    """Call a row or answers of before as their file, whose one engine had no name."""
    match item:
        case {"file": file} if "candidate" not in item:
            return {**item, "candidate": file}
    return item


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
