"""What `edgecnn export RUN --all` costs: seconds and peak memory of the whole command."""

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportCost:
    """One run of the command."""

    seconds: float
    megabytes: float  # peak resident memory, 10^6 bytes


def measure_export(run: Path) -> ExportCost:
    """Export every format of a run once more, in a process of its own."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "edgecnn", "export", str(run), "--all", "--quiet"], check=True)
    seconds = time.perf_counter() - started
    # The largest child so far; the export is the only large one when this is measured first. Linux counts in KiB.
    return ExportCost(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6)
