"""`make results` writes its page: every measuring script runs once on the small run, with few rounds."""

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import needs
import pytest
from tiny_wheel import tiny_wheel

from edgecnn_runtime.workstation.run_folder import RunFolder

if TYPE_CHECKING:
    import install_size

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"


@pytest.mark.slow
def test_the_page_has_every_figure_with_its_goal(
    exported_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs.package("cv2", "edgecnn[camera]")
    needs.package("starlette", "edgecnn[serve]")
    monkeypatch.syspath_prepend(PEERS)
    import bench_repeats
    import camera_age
    import cold_start
    import folder_limit
    import install_size
    import int8_speed
    import large_photos
    import predict_overhead
    import record
    import server_load
    import steadiness

    measuring = (
        camera_age,
        cold_start,
        folder_limit,
        install_size,
        int8_speed,
        large_photos,
        predict_overhead,
        server_load,
    )
    for script in measuring:
        monkeypatch.setattr(script, "_ROUNDS", 1)
    monkeypatch.setattr(server_load, "_ROUND", 0.3)
    monkeypatch.setattr(server_load, "_OVERLOAD", 0.3)
    monkeypatch.setattr(folder_limit, "FILES", 40)
    monkeypatch.setattr(install_size, "WAYS", _small_and_large(tmp_path))
    monkeypatch.setattr(camera_age, "_ROUND", 0.5)
    monkeypatch.setattr(camera_age, "HOUR", 300)
    monkeypatch.setattr(steadiness, "COUNT", 200)
    monkeypatch.setattr(bench_repeats, "REPEATS", 1)
    monkeypatch.setattr(bench_repeats, "AA_RUNS", 1)
    monkeypatch.setattr(bench_repeats, "ROUNDS", 2)
    page = tmp_path / "RESULTS.md"
    monkeypatch.setattr(sys, "argv", ["record.py", "--run", str(exported_run.path), "--output", str(page)])
    record.main()

    text = page.read_text()
    assert re.findall(r"^## (\w+)", text, re.MULTILINE) == [
        "Training",
        "Export",
        "int8",
        "One",
        "A",
        "Large",
        "Cold",
        "Installation",
        "Camera",
        "Server",
        "Memory",
        "Bench",
    ]
    for goal in (
        "≥ 0.990",
        "≥ 3 ",
        "≥ 3.9",
        "≤ 0.1",
        "1.10 times",
        "8 µs more",
        "0.9 of it",
        "0.2 s, 90 MB and 1.2 times",
        "below 2",
        "429 above it",
        "2 MB",
    ):
        assert goal in text
    assert "nan" not in text

    # One section anew, the others as they were.
    monkeypatch.setattr(record, "SECTIONS", {**record.SECTIONS, "export": lambda subject: ["## Export: anew"]})
    monkeypatch.setattr(sys, "argv", ["record.py", "export", "--run", str(exported_run.path), "--output", str(page)])
    before = record.read_sections(page)
    record.main()
    after = record.read_sections(page)
    assert after["export"][0] == "## Export: anew"
    assert list(after) == list(record.SECTIONS)
    assert {name: lines for name, lines in after.items() if name != "export"} == {
        name: lines for name, lines in before.items() if name != "export"
    }


def _small_and_large(folder: Path) -> "dict[str, install_size.Way]":
    """Stand-ins for edgecnn and TensorFlow: packages of 10 kB and 1 MB, made here."""
    import install_size

    sizes = {"small": 10_000, "large": 1_000_000}
    return {
        name: install_size.Way((str(tiny_wheel(folder, name, size=size)),), f"import {name}")
        for name, size in sizes.items()
    }


def test_what_an_installation_adds_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import install_size

    monkeypatch.setattr(install_size, "_ROUNDS", 1)
    installs = install_size.measure_installs(_small_and_large(tmp_path))
    # The module, its compiled form and a kilobyte about the package.
    assert 10_000 < installs.installed_bytes["small"] < 12_000
    assert 1_000_000 < installs.installed_bytes["large"] < 1_002_000
    assert installs.packages == {"small": 1, "large": 1}
    assert installs.smaller == pytest.approx(90, rel=0.1)
    page = "\n".join(install_size.installs_table(installs))
    assert re.search(r"\| `small` \| 1\d\.\d kB \| 1 \|", page)
    assert "| `large` | 1.00 MB | 1 |" in page
    with pytest.raises(RuntimeError, match="No module named 'huge'"):
        install_size.measure_installs({"small": install_size.Way((), "import huge")})


@pytest.mark.slow
def test_the_page_of_training_has_every_figure_with_its_goal(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import casting_photos
    import epoch_seconds
    import first_step
    import frozen_base_head
    import record_training
    import step_precision

    for script in (epoch_seconds, first_step, frozen_base_head, step_precision):
        monkeypatch.setattr(script, "_ROUNDS", 1)
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    monkeypatch.setenv("EDGECNN_HOME", str(home))
    monkeypatch.setattr(casting_photos, "SYNTHETIC_IMAGES", {"train": 40, "test": 8})
    monkeypatch.setattr(epoch_seconds, "DIGITS", 70)
    monkeypatch.setattr(step_precision, "_STEPS", 1)
    monkeypatch.setattr(step_precision, "_SCORED_EPOCHS", 1)
    monkeypatch.setattr(frozen_base_head, "EPOCHS", 2)
    # Each is a whole process, which needs no second one to warm up.
    monkeypatch.setattr(first_step, "interleave", lambda ways, rounds: {name: [way()] for name, way in ways.items()})
    page = tmp_path / "TRAINING.md"
    monkeypatch.setattr(sys, "argv", ["record_training.py", "--output", str(page), "--set-gb", "0.01"])
    record_training.main()

    text = page.read_text()
    for goal in ("0.95 of the limit", "1.35 times", "at least as fast as `model.fit`", "12 times as fast", "under 6 s"):
        assert goal in text
    assert "synthetic" in text
    assert "nan" not in text


@pytest.mark.parametrize("script", ["epoch_seconds", "first_step", "frozen_base_head", "step_precision"])
def test_the_training_scripts_stand_alone(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    monkeypatch.setattr(sys, "argv", [f"{script}.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(script).main()
    assert f"python benchmarks/peers/{script}.py" in capsys.readouterr().out
