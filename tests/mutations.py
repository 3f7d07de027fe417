"""Damage model files in every way, and open each in a process of its own: what becomes of it?

    python tests/mutations.py MODEL COUNT SEED   -> one JSON object: how many came to which end

Native code may crash or hang, so each mutant is opened in a fork of a process that has loaded the interpreter.
"""

import contextlib
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgecnn_runtime import Classifier
    from edgecnn_runtime.third_party_models.opening import Opening

# Seconds after which a mutant counts as hanging, and those of its first run.
_TIMEOUT, _FIRST_RUN_TIMEOUT = 60, 10


def mutants(content: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged copies of a file, each with a name for what was done."""
    draw = random.Random(seed)
    kinds = ("flip", "flips", "truncate", "swap", "zero", "byte", "offset", "double")
    for number in range(count):
        kind = kinds[number % len(kinds)]
        changed = bytearray(content)
        if kind in ("flip", "flips"):
            for _ in range(1 if kind == "flip" else draw.randint(2, 30)):
                changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        elif kind == "truncate":
            del changed[draw.randrange(len(changed)) :]
        elif kind == "swap":
            size = draw.choice((4, 8, 16, 64))
            first, second = (4 * draw.randrange(max(1, (len(changed) - size) // 4)) for _ in range(2))
            one, other = bytes(changed[first : first + size]), bytes(changed[second : second + size])
            changed[first : first + size], changed[second : second + size] = other, one
        elif kind == "zero":
            start = draw.randrange(len(changed))
            length = min(draw.choice((1, 4, 16, 100)), len(changed) - start)
            changed[start : start + length] = bytes(length)
        elif kind == "byte":
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        elif kind == "offset":
            start = 4 * draw.randrange(max(1, len(changed) // 4 - 1))
            value = draw.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, len(content), draw.randrange(2**32)))
            changed[start : start + 4] = value.to_bytes(4, "little")
        else:
            start = draw.randrange(len(changed))
            changed[start:start] = changed[start : start + draw.choice((1, 4, 40))]
        yield kind, bytes(changed)


def come_to_ends(model: Path, count: int, seed: int, keep: Path | None = None) -> dict[str, int]:
    """Open and run each mutant; count the ends: "answer", "error", "other answer", or what went wrong.

    "answer" is that of the whole file; "other answer" one that differs and about which nothing was said.
    """
    import numpy as np

    from edgecnn_runtime import Classifier
    from edgecnn_runtime.third_party_models import first_run

    whole = Classifier.open(model, trusted=True)
    # A fork in place of a new process, which would take most of the time.
    first_run.check_first_run = _check_in_fork
    pixels = np.random.default_rng(0).integers(0, 256, (2, *whole.manifest.input.shape), np.uint8)
    expected = whole.predict_proba(pixels)
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / model.name
        for number, (kind, content) in enumerate(mutants(model.read_bytes(), count, seed)):
            path.write_bytes(content)
            end = _end_of(path, pixels, expected, whole)
            ends[end] += 1
            if keep is not None and end not in ("answer", "error"):
                (keep / f"{number:05}-{kind}-{end.replace(' ', '_')[:30]}{model.suffix}").write_bytes(content)
    return dict(ends)


def _end_after(seconds: int) -> None:
    """Let this process be killed; the handler it inherited waits for Python to come back from the library."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def _check_in_fork(path: Path, opening: "Opening") -> None:
    """Do what `edgecnn_runtime.third_party_models.first_run` does, as quickly as a test needs it."""
    from edgecnn_runtime import Classifier, ModelError
    from edgecnn_runtime.third_party_models.opening import Opening

    child = os.fork()
    if child == 0:
        _end_after(_FIRST_RUN_TIMEOUT)
        with contextlib.suppress(Exception):
            Classifier.open_as(path, Opening(given=opening.given, trusted=True))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise ModelError(f"{path}: crashed in its first run")


def _end_of(path: Path, pixels: "NDArray[np.uint8]", expected: "NDArray[np.float32]", whole: "Classifier") -> str:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _end_after(_TIMEOUT)
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        os.write(write, _open(path, pixels, expected, whole).encode())
        os._exit(0)
    os.close(write)
    said = b""
    while part := os.read(read, 4096):
        said += part
    os.close(read)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "hang" if number == signal.SIGALRM else f"crash {signal.Signals(number).name}"
    return said.decode() or f"exit {os.WEXITSTATUS(status)}"


def _open(path: Path, pixels: "NDArray[np.uint8]", expected: "NDArray[np.float32]", whole: "Classifier") -> str:
    import numpy as np

    from edgecnn_runtime import Classifier, EdgecnnError

    try:
        classifier = Classifier.open(path)
        if classifier.labels != whole.labels and classifier.contract.labels.origin != "assumed":
            return "other labels"
        if classifier.manifest.input.shape != pixels.shape[1:]:
            return "other input"
        found = classifier.predict_proba(pixels)
    except EdgecnnError:
        return "error"
    except MemoryError:
        return "error"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "answer" if found.shape == expected.shape and np.allclose(found, expected, atol=1e-3) else "other answer"


if __name__ == "__main__":
    model, count, seed, *keep = sys.argv[1:]
    print(json.dumps(come_to_ends(Path(model), int(count), int(seed), Path(keep[0]) if keep else None)))
