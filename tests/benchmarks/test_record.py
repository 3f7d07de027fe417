"""`make results` writes its page: every measuring script runs once on the small run, with few rounds."""

import re
import sys
from pathlib import Path

import pytest

from edgecnn_runtime.run_folder import RunFolder

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.mark.end_to_end
def test_the_page_has_every_figure_with_its_goal(
    exported_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import cold_start
    import folder_limit
    import int8_speed
    import predict_overhead
    import record

    for script in (cold_start, folder_limit, int8_speed, predict_overhead):
        monkeypatch.setattr(script, "_ROUNDS", 1)
    monkeypatch.setattr(folder_limit, "FILES", 40)
    page = tmp_path / "RESULTS.md"
    monkeypatch.setattr(
        sys, "argv", ["record.py", "--run", str(exported_run.path), "--output", str(page), "--set-gb", "0.01"]
    )
    record.main()

    text = page.read_text()
    headings = ["Training", "Export", "int8", "One", "A", "Cold", "Training"]
    assert re.findall(r"^## (\w+)", text, re.MULTILINE) == headings
    for goal in ("≥ 0.990", "≥ 3 ", "≥ 3.9", "≤ 0.1", "1.10 times", "8 µs more", "0.9 of it", "0.2 s and 90 MB"):
        assert goal in text
    assert "nan" not in text
