"""The figure that the mnist recipe is judged by, on the 70,000 real digits: about six minutes on two cores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest


@pytest.mark.slow
def test_the_defaults_reach_99_percent_in_ten_epochs(real_data: Path, tmp_path: Path) -> None:
    needs.data("mnist")
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "train", "mnist", "--output", str(tmp_path / "run"), "--json"],
        env={**os.environ, "EDGECNN_HOME": str(tmp_path / "home"), "EDGECNN_DATA": str(real_data)},
        capture_output=True,
        text=True,
        check=True,
    )
    accuracy = json.loads(done.stdout)["metrics"]["accuracy"]
    assert accuracy["total"] == 10_000
    assert accuracy["value"] >= 0.990
