"""`make scores` writes its page from the runs that are finished; the redrawn symbols are what they say."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.recipes import list_recipes

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"


@pytest.mark.end_to_end
def test_the_page_has_a_row_of_each_finished_recipe(
    trained_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    import training_scores

    for seed in (0, 1):
        shutil.copytree(trained_run.path, tmp_path / "runs" / f"mnist-{seed}")
    page = tmp_path / "SCORES.md"
    loops = tmp_path / "loops.jsonl"
    words = ["--seeds", "0", "--runs", str(tmp_path / "runs"), "--notebooks", str(loops), "--output", str(page)]
    monkeypatch.setattr(sys, "argv", ["training_scores.py", *words])
    training_scores.main()

    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == 1
    cells = (cell.strip() for cell in rows[0].strip("|").split("|"))
    name, runs, images, accuracy, f1, without_copies, notebook, own_loop, int8, seconds = cells
    assert (name, runs, without_copies, notebook, own_loop) == ("`mnist`", "2", "", "0.9915", "")
    assert images == "1,000"
    for spread in (accuracy, f1):
        middle, lowest, _, highest = spread.replace("(", "").replace(")", "").split()
        assert middle == lowest == highest
    assert " kB, " in int8 or " MB, " in int8
    assert seconds.endswith(" s")


def test_every_recipe_with_data_at_hand_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)
    from training_scores import ENTRIES

    # The weights of VGG16 are not among the data for development.
    documented = {recipe.name for recipe in list_recipes() if recipe.data is not None} - {"symbols-vgg16"}
    assert {entry.recipe for entry in ENTRIES} == documented


def test_redrawn_symbols_stay_inside_and_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)
    from redrawn_symbols import DRAWINGS, SIDE, redraw

    for file in DRAWINGS.values():
        drawing = Image.new("RGBA", (300, 300))
        ImageDraw.Draw(drawing).line([(150, 10), (150, 290)], fill="black", width=8)
        drawing.save(tmp_path / file)
    redraw(tmp_path, tmp_path / "redrawn", count=6)
    assert sorted(path.name for path in (tmp_path / "redrawn").iterdir()) == sorted(DRAWINGS)
    images = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "redrawn").rglob("*.png"))]
    assert len({image.tobytes() for image in images}) == 6 * len(DRAWINGS)
    for image in images:
        assert image.shape == (SIDE, SIDE)
        rows, columns = np.nonzero(image < 128)
        length = np.hypot(np.ptp(rows), np.ptp(columns))
        # Turned by 45 degrees, a line whose box is half the side long is 0.7 of it.
        assert 0.45 * SIDE < length < 1.45 * SIDE
        assert image.mean() > 200
