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
    name, runs, images, accuracy, f1, without_copies, notebook, own_loop, int8 = cells
    # Two epochs on 4,000 digits do not reach it.
    assert (name, runs, without_copies, notebook, own_loop) == ("`mnist`", "2", "", "0.9915, **missed**", "")
    assert images == "1,000"
    for spread in (accuracy, f1):
        middle, lowest, _, highest = spread.replace("(", "").replace(")", "").split()
        assert middle == lowest == highest
    assert " kB, " in int8 or " MB, " in int8
    assert training_scores.read_rows(page) == {"mnist": training_scores.Row("2", accuracy, f1)}

    # A clone without the runs does not lose the page.
    shutil.rmtree(tmp_path / "runs" / "mnist-1")
    before = page.read_bytes()
    with pytest.raises(SystemExit, match=r"expected as many runs of mnist in .* as the page is of, got fewer"):
        training_scores.main()
    assert page.read_bytes() == before


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


@pytest.mark.parametrize("words", [[], ["mnist", "signs"], ["--seeds", "0"]])
def test_the_page_of_the_repository_is_not_lost_in_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    import training_scores

    monkeypatch.setattr(training_scores, "_edgecnn", lambda *words: pytest.fail("nothing is to be trained first"))
    page = tmp_path / "SCORES.md"
    shutil.copy(training_scores.SCORES, page)
    monkeypatch.setattr(
        sys, "argv", ["training_scores.py", *words, "--runs", str(tmp_path / "none"), "--output", str(page)]
    )
    with pytest.raises(SystemExit, match="expected as many runs of"):
        training_scores.main()
    assert page.read_bytes() == training_scores.SCORES.read_bytes()


@pytest.mark.parametrize(
    ("notebook", "accuracy", "f1", "missed"),
    [
        ("0.9915", 0.9914, 1, True),
        ("0.9915", 0.9915, 0, False),
        ("F1 0.79 … 0.92", 0, 0.9149, True),
        ("0.5", 0.5, 0, False),
    ],
)
def test_a_goal_that_is_missed_is_called_so(
    monkeypatch: pytest.MonkeyPatch, notebook: str, accuracy: float, f1: float, missed: bool
) -> None:
    monkeypatch.syspath_prepend(PEERS)
    from training_scores import MISSED, Entry, Score, _beside_notebook

    score = Score(RunFolder(Path("run")), accuracy, f1, 100, None, 100)
    shown = _beside_notebook(Entry("recipe", "recipe", notebook=notebook), score)
    assert shown == notebook + (MISSED if missed else "")
