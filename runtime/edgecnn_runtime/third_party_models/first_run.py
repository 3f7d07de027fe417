"""The first run of a third-party model file, in a subprocess, before this process opens it.

Interpreters are written in C++ and check much, not all: of 400 damaged TFLite files, one crashed LiteRT 2.3 and one
kept it busy for ever. A file that edgecnn exported carries a checksum and needs no such check; any other is checked
once, and remembered by the SHA-256 of its files.
"""

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from edgecnn_runtime.backends.engines import engines_of
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_formats import ModelFile, format_of, model_parts
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.cache_folder import home_folder
from edgecnn_runtime.system.own_process import run_python
from edgecnn_runtime.third_party_models.opening import Opening

# Seconds for loading an interpreter and a handful of inferences.
_TIMEOUT = 120.0
# Files remembered; the oldest are forgotten.
_REMEMBERED = 1000

_PROGRAM = """\
import json, sys
from pathlib import Path
sys.path[:0] = [sys.argv[3]]
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.third_party_models.opening import Opening
try:
    Classifier.open_as(Path(sys.argv[1]), read_dataclass(Opening, json.loads(sys.argv[2]), name="opening"))
except Exception:
    pass  # the process that asked finds the same, and says it
"""


def check_first_run(model: ModelFile, opening: Opening) -> None:
    """Make sure that a file neither crashes its interpreter nor keeps it busy for ever.

    Where no subprocess can be started the file is opened unchecked.

    Raises:
        ModelError: it does.
    """
    path, seen = model.path, _read_seen()
    key = _key(model, opening)
    if key in seen:
        return
    # On the CPU, whatever was asked for: it is the file that is checked, with the engine that opens it.
    plain = json.dumps(asdict(Opening(given=opening.given, engine=opening.engine, trusted=True)))
    root = str(Path(__file__).parents[2])
    try:
        ended = run_python("-c", _PROGRAM, str(path.resolve()), plain, root, timeout=_TIMEOUT)
    except OSError:
        return
    if ended.limit or ended.crashed:
        raise ModelError(
            f"{path}: expected a model that runs; in a subprocess {ended.reason}; "
            "the file may be damaged, or made to do so"
        )
    model.check_unchanged()
    if ended.code == 0:
        _remember(seen, key)


def _key(model: ModelFile, opening: Opening) -> str:
    """Tell apart files, and ways to open them that give the interpreter other work."""
    digest = hashlib.sha256(hashlib.sha256(model.content).digest())
    for part in model_parts(model.path)[1:]:
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    installed = (engine.name for engine in engines_of(format_of(model.path).name) if engine.is_installed)
    digest.update(repr((opening.given.imgsz, opening.engine or next(installed, None))).encode())
    return digest.hexdigest()


def _seen_file() -> Path:
    return home_folder() / "tried-models.txt"


def _read_seen() -> list[str]:
    try:
        return _seen_file().read_text("ascii").split()
    except (OSError, ValueError, RuntimeError):
        return []


def _remember(seen: list[str], key: str) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        _seen_file().parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write_text(_seen_file(), "\n".join([*seen[1 - _REMEMBERED :], key]) + "\n")
