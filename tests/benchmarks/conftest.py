"""The run folder in miniature, and its benchmark."""

import pytest
from conftest import without_openvino
from tiny_bench import tiny_result, tiny_run

__all__ = ["tiny_result", "tiny_run"]


@pytest.fixture(autouse=True)
def one_engine_per_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure each file by one engine, so that the tests hold where OpenVINO is and where it is not.

    `test_engines.py` puts it back.
    """
    without_openvino(monkeypatch)
