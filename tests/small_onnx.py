"""`tiny_models.tiny_onnx` for tests that also run on a device, which has no package onnx: they skip there."""

from pathlib import Path
from typing import Any

import needs


def small_onnx(path: Path, **options: Any) -> Path:
    """Write a tiny classifier, or skip the test."""
    needs.package("onnx")
    from tiny_models import tiny_onnx

    return tiny_onnx(path, **options)
