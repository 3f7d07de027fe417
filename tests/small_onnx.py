"""`tiny_models.tiny_onnx` for tests that also run on a device, which has no package onnx: they skip there."""

from pathlib import Path
from typing import Any

import pytest


def small_onnx(path: Path, **options: Any) -> Path:
    """Write a tiny classifier, or skip the test."""
    pytest.importorskip("onnx", reason="needs onnx to write a model; a device has none")
    from tiny_models import tiny_onnx

    return tiny_onnx(path, **options)
