import subprocess
import sys
from pathlib import Path

import needs
import numpy as np

from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes

MIB = 2**20


def test_reads_the_high_water_mark(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t   41236 kB\nVmRSS:\t   100 kB\n")
    assert peak_memory_bytes(status) == 41236 * 1024


@needs.linux
def test_is_unknown_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert peak_memory_bytes(tmp_path / "missing") is None


@needs.linux
def test_child_of_a_large_process_is_not_charged_for_it() -> None:
    ballast = np.ones(300 * MIB, np.uint8)
    probe = "from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes; print(peak_memory_bytes())"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    own = peak_memory_bytes()
    assert own is not None
    assert own > len(ballast)
    assert 5 * MIB < int(answer.stdout) < 200 * MIB


@needs.posix
def test_counts_what_was_freed_again() -> None:
    probe = (
        "from edgecnn_benchmarks.process.peak_memory import peak_memory_bytes; "
        "b = bytearray(b'x') * (120 << 20); del b; print(peak_memory_bytes())"
    )
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert int(answer.stdout) > 120 * MIB
