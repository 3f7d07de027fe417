"""Arm's compiler Vela, for one of its NPUs; it compiles and does not run."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from adapter import first_words, serve

NPU = "ethos-u55-128"


def open_model(path, shape):
    """Compile a file."""
    del shape
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        options = ["--accelerator-config", NPU, "--output-dir", folder, path]
        done = subprocess.run(
            [sys.executable, "-m", "ethosu.vela", *options], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not any(Path(folder).glob("*_vela.tflite")):
            raise ValueError(first_words("\n".join((done.stdout + done.stderr).strip().splitlines()[-1:])))
    counts = {kind: int(count) for kind, count in re.findall(r"(CPU|NPU) operators = (\d+)", done.stdout)}
    return f"{counts.get('CPU', 0)} of {sum(counts.values())} operators stay on the CPU"


if __name__ == "__main__":
    serve(open_model)
