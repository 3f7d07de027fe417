"""The load test of the server, on a tiny model and for a moment."""

from pathlib import Path

import needs
import numpy as np
import pytest
from tiny_classifier import RGB_16, tiny_classifier

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"


@pytest.mark.end_to_end
def test_no_error_below_the_limit_and_429_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.package("starlette", "edgecnn[serve]")
    monkeypatch.syspath_prepend(PEERS)
    import server_load

    monkeypatch.setattr(server_load, "_ROUNDS", 2)
    monkeypatch.setattr(server_load, "_ROUND", 0.4)
    monkeypatch.setattr(server_load, "_OVERLOAD", 1.0)
    images = np.random.default_rng(0).integers(0, 256, (4, *RGB_16.shape), np.uint8)
    load = server_load.measure_server(tiny_classifier(tmp_path / "tiny.tflite"), images)
    assert [row.errors for row in load.loads] == [0, 0, 0]
    assert all(row.requests >= 2 * row.clients for row in load.loads)
    assert all(0 < row.median.value <= row.p99.value for row in load.loads)
    assert load.overload.told_to_wait > 0
    assert load.overload.answered > 0
    assert load.overload.other == 0
