"""Try a third-party model file in a process of its own before this one opens it.

Interpreters are written in C++ and check much, not all: of 400 damaged TFLite files, one crashed LiteRT 2.3 and one
kept it busy for ever. A file that edgecnn exported carries a checksum and needs no trial; any other is tried once, and
remembered by the SHA-256 of its files.
"""

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_formats import model_parts
from edgecnn_runtime.system import atomic_files
from edgecnn_runtime.system.cache_folder import home_folder
from edgecnn_runtime.system.process_end import describe_end
from edgecnn_runtime.third_party.opening import Opening

# Seconds for loading an interpreter and a handful of inferences.
_TIMEOUT = 120.0
# Files remembered; the oldest are forgotten.
_REMEMBERED = 1000

_PROGRAM = """\
import json, sys
from pathlib import Path
sys.path[:0] = [sys.argv[3]]
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.third_party.opening import Opening
try:
    classifier = Classifier.open_as(Path(sys.argv[1]), Opening.from_document(json.loads(sys.argv[2])))
except Exception:
    pass  # the process that asked will find the same, and say it
"""


def try_opening(path: Path, opening: Opening) -> None:
    """Make sure that a file neither crashes its interpreter nor keeps it busy for ever.

    Where no other process can be started the file is opened untried.

    Raises:
        ModelError: it does.
    """
    seen = _read_seen()
    key = _key(path, opening)
    if key in seen or not sys.executable:
        return
    root = str(Path(__file__).parents[2])
    # On the CPU, whatever was asked for: it is the file that is on trial.
    plain = Opening(given=opening.given, tried=True)
    command = [sys.executable, "-P", "-c", _PROGRAM, str(path.resolve()), json.dumps(plain.to_document()), root]
    with tempfile.TemporaryFile() as stderr:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            raise ModelError(
                f"{path}: expected a model that runs; its interpreter is still busy after {_TIMEOUT:.0f} s in a trial "
                "with test images; the file may be damaged"
            ) from None
        except OSError:
            return
        if done.returncode < 0:
            raise ModelError(
                f"{path}: expected a model that runs; in a trial {describe_end(done.returncode, stderr)}; the file is "
                "damaged, or made to do so"
            )
    if done.returncode == 0:
        _remember(seen, key)


def _key(path: Path, opening: Opening) -> str:
    """Tell apart files, and ways to open them that give the interpreter other work."""
    digest = hashlib.sha256()
    for part in model_parts(path):
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(repr(opening.given.imgsz).encode())
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
