"""The programs in examples/ run as they stand."""

import subprocess
import sys
from pathlib import Path

from edgecnn_runtime.run_folder import RunFolder

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_classify_names_each_image_and_survives_a_bad_one(
    exported_run: RunFolder, digit_files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    images = [*digit_files[::10], tmp_path / "broken.jpg"]
    command = [sys.executable, EXAMPLES / "classify.py", exported_run.exported("int8", ".tflite"), *images]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(images)
    assert all(line.startswith(f"{image}: ") for line, image in zip(lines, images, strict=True))
    assert "whole JPEG, PNG" in lines[-1]


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"classify.py"}
