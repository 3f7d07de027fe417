"""The run folder in miniature, and its benchmark."""

from dataclasses import replace

import pytest
from tiny_bench import tiny_result, tiny_run

from edgecnn_runtime.backends.engines import ENGINES

__all__ = ["tiny_result", "tiny_run"]


@pytest.fixture(autouse=True)
def one_engine_per_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take OpenVINO, which runs all formats, for not installed, so that the tests hold where it is and where it is not.

    `test_engines.py` puts it back.
    """
    monkeypatch.setitem(ENGINES, "openvino", replace(ENGINES["openvino"], packages={"absent": "absent"}))
