"""What a device has to hold: `pip install "edgecnn[litert]"` in a clean environment, beside TensorFlow.

python benchmarks/peers/install_size.py         # fetches 600 MB from the package index; some minutes
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interleaved import interleave, ratio

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate
from edgecnn_benchmarks.statistics.quantities import figure, size

_ROUNDS = 11
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Way:
    """What is installed, and what a program imports of it before it can open a model."""

    requirements: tuple[str, ...]
    program: str


WAYS = {
    "edgecnn[litert]": Way(
        (f"{_ROOT}[litert]",),
        "from edgecnn_runtime import Classifier; from ai_edge_litert.interpreter import Interpreter; import PIL.Image",
    ),
    "tensorflow": Way(("tensorflow",), "import tensorflow as tf; tf.lite.Interpreter"),
}


@dataclass(frozen=True)
class Installs:
    """Bytes that an installation adds to an environment, and seconds of a process that only imports."""

    installed_bytes: dict[str, int]
    packages: dict[str, int]
    seconds: dict[str, Estimate]
    smaller: float
    faster: Estimate


def measure_installs(ways: Mapping[str, Way]) -> Installs:
    """Install each into an environment of its own, with the pinned versions; import interleaved.

    Args:
        ways: ours first, what it is compared with second.

    Raises:
        RuntimeError: an installation or an import failed, with what was printed.
    """
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as scratch:
        pythons, added, packages = {}, {}, {}
        for number, (name, way) in enumerate(ways.items()):
            folder = Path(scratch) / str(number)
            # Without a pip of its own: what is in the environment is what was asked for.
            _run(sys.executable, "-m", "venv", "--without-pip", folder)
            pythons[name] = folder / "bin" / "python"
            before = _bytes(folder)
            pip = (sys.executable, "-m", "pip", "--python", pythons[name], "install", "--disable-pip-version-check")
            if way.requirements:
                _run(*pip, "-c", _ROOT / "constraints.txt", *way.requirements)
            added[name], packages[name] = _bytes(folder) - before, _packages(folder)

        def start(name: str) -> float:
            started = time.perf_counter()
            _run(pythons[name], "-I", "-c", ways[name].program)
            return time.perf_counter() - started

        seconds = interleave({name: (lambda name=name: start(name)) for name in ways}, rounds=_ROUNDS)
    ours, theirs = ways
    return Installs(
        installed_bytes=added,
        packages=packages,
        seconds={name: median_estimate(values) for name, values in seconds.items()},
        smaller=added[theirs] / added[ours],
        faster=ratio(seconds[theirs], seconds[ours]),
    )


def installs_table(installs: Installs) -> list[str]:
    """Return a section of a page of results."""
    ours, theirs = installs.seconds
    rows = [
        f"| `{name}` | {size(installs.installed_bytes[name])} | {installs.packages[name]} | {figure(seconds)} |"
        for name, seconds in installs.seconds.items()
    ]
    return [
        "## Installation: `pip install` into a clean environment, the pinned versions",
        "",
        "What it adds to the environment, and a process that imports what opens a model, Python's own start included.",
        "",
        "| | size | packages | seconds to import |",
        "|---|---|---|---|",
        *rows,
        "",
        f"{theirs} is {installs.smaller:.1f} times as large as {ours} and takes {figure(installs.faster)} times as "
        "long to import.",
    ]


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _packages(folder: Path) -> int:
    return len(list(folder.glob("lib/python*/site-packages/*.dist-info")))


def _run(*command: str | Path) -> None:
    # What PYTHONPATH names counts for pip as installed already.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout[-1000:]}{done.stderr[-3000:]}")


if __name__ == "__main__":
    print("\n".join(installs_table(measure_installs(WAYS))))
