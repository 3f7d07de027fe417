"""Have an engine's environment open files: start its adapter, again after each crash, and collect the answers."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
from engines import Engine, Release

HERE = Path(__file__).parent
# For an engine to start and to open one file, beside the seconds that the images take.
OPENING_SECONDS = 120.0


@dataclass(frozen=True)
class Request:
    """A file to open."""

    model: Path
    images: Path  # .npy, uint8 `(N, height, width, channels)`
    probabilities: Path  # where they go: .npy, float32 `(n, classes)`, n <= N


def ask(engine: Engine, release: Release, requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Open files in an engine that is installed.

    Returns:
        An answer per file, as `adapter` writes it: `opened`, `error`, `images` (those that were classified),
        `microseconds` (median) and `note`. Where the process dies, that is the `error` of the file it had.
    """
    command = [str(environments.python(engine, release)), str(HERE / f"{engine.adapter}.py")]
    answers: list[dict[str, Any]] = []
    while len(answers) < len(requests):
        rest = requests[len(answers) :]
        with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
            written, job = Path(folder) / "answers.jsonl", Path(folder) / "job.json"
            facts = {
                "answers": str(written),
                "seconds": engine.seconds,
                "environment": str(environments.folder(engine, release)),
                "files": [{name: str(path.resolve()) for name, path in vars(request).items()} for request in rest],
            }
            job.write_text(json.dumps(facts))
            died = _run([*command, str(job)], folder=folder, seconds=(engine.seconds + OPENING_SECONDS) * len(rest))
            lines = written.read_text().splitlines() if written.exists() else []
        answers += map(json.loads, lines)
        if len(lines) < len(rest):
            answers.append({"opened": False, "error": died, "images": 0, "microseconds": None, "note": None})
    return answers


def _run(command: Sequence[str], *, folder: str, seconds: float) -> str:
    """Run a command in a folder, where some engines leave files, and say how it ended."""
    quiet = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | quiet
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return "its process does not end"
    last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
    name = f"its process dies of {signal.Signals(-done.returncode).name}" if done.returncode < 0 else ""
    return ": ".join(filter(None, (name, last))) or f"its process ends with {done.returncode}"
