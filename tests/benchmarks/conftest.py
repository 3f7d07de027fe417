"""The run folder in miniature, and its benchmark."""

import pytest
from tiny_bench import tiny_result, tiny_run

from edgecnn_runtime.backends.engines import ENGINES

__all__ = ["tiny_result", "tiny_run"]


@pytest.fixture(autouse=True)
def one_engine_per_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out OpenVINO, which runs all formats, whether it is installed or not; `test_engines.py` puts it back."""
    monkeypatch.delitem(ENGINES, "openvino")
