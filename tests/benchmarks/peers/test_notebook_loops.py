"""`make notebooks` trains the notebooks' loops, keeps what they reach, and writes it beside edgecnn's runs."""

import re
import sys
from pathlib import Path

import needs
import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"


@pytest.fixture(autouse=True)
def _peers_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PEERS)


def a_run(**changes: object):  # type: ignore[no-untyped-def]
    from notebook_runs import LoopRun

    values = {
        "loop": "casting-keras",
        "seed": 0,
        "accuracy": 0.9,
        "weighted_f1": 0.91,
        "images": 678,
        "epochs": 13,
        "seconds_an_epoch": 4.0,
        "seconds": 52.0,
        "keras": "3.15.1",
    }
    return LoopRun(**{**values, **changes})


def test_runs_are_kept_one_a_loop_and_seed(tmp_path: Path) -> None:
    from notebook_runs import keep, read_runs

    path = tmp_path / "runs.jsonl"
    assert read_runs(path) == []
    for run in (a_run(seed=1), a_run(), a_run(loop="mnist"), a_run(accuracy=0.95)):
        keep(run, path)
    assert read_runs(path) == [a_run(accuracy=0.95), a_run(seed=1), a_run(loop="mnist")]


@pytest.mark.parametrize("line", ["{", '{"loop": "mnist"}', "[]", '{"speed": 1}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    from notebook_runs import keep, read_runs

    path = tmp_path / "runs.jsonl"
    keep(a_run(), path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=r"runs\.jsonl, line 2: .* remove the line"):
        read_runs(path)


def test_the_kept_runs_are_of_loops_that_exist() -> None:
    from notebook_loops import LOOPS
    from notebook_runs import read_runs
    from training_scores import ENTRIES

    runs, names = read_runs(), {loop.name for loop in LOOPS}
    assert runs
    assert {run.loop for run in runs} <= names
    assert all(0 <= run.accuracy <= 1 and 0 <= run.weighted_f1 <= 1 for run in runs)
    entries = {entry.name: entry for entry in ENTRIES}
    assert {name for loop in LOOPS for name in (loop.entry, loop.better)} <= set(entries)
    assert {entry.loop for entry in ENTRIES if entry.loop} <= names


def test_the_page_shows_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import notebook_epochs
    import notebook_loops
    from notebook_runs import keep

    kept, page = tmp_path / "runs.jsonl", tmp_path / "NOTEBOOKS.md"
    for run in (
        a_run(),
        a_run(seed=1, weighted_f1=0.93, whence="run elsewhere"),
        a_run(loop="casting-skimage", weighted_f1=0.8, notebooks_own_f1=1.0),
    ):
        keep(run, kept)
    seconds = {way: [2.0, 2.1, 2.2] for way in ("keras", "tf", "skimage", "augment", "mobilenetv2")}
    seconds |= {"edgecnn casting": [1.0, 1.05, 1.1], "edgecnn casting-augmented": [1.0, 1.0, 1.0]}
    measured = notebook_epochs.EpochsMeasured("2026-11-21", "a machine", 1.0, 756, seconds)
    notebook_epochs.keep_epochs(measured, tmp_path / "epochs.json")
    monkeypatch.setattr(notebook_loops, "EPOCHS", tmp_path / "epochs.json")
    words = ["--seeds", "0", "--kept", str(kept), "--output", str(page)]
    monkeypatch.setattr(sys, "argv", ["notebook_loops.py", *words])
    notebook_loops.main()

    text = page.read_text()
    cells = {row.split(" | ")[0]: row.split(" | ")[2:5] for row in text.splitlines() if row.startswith("| casting: ")}
    assert cells["| casting: ImageDataGenerator, CNN"] == ["0.9200 (0.9100 … 0.9300)", "2", "13"]
    assert cells["| casting: image_dataset_from_directory, CNN"] == ["not trained yet", "0", ""]
    assert "| `casting` 0.9225 (0.9077 … 0.9342) | 5 |" in text
    assert cells["| casting: scikit-image, CNN"][:2] == ["0.8000", "1"]
    assert "Not run by this script: casting-keras (seeds 1); run elsewhere." in text
    assert re.search(r"first training batch .* reach 1\.0000 ", text)
    assert "| ImageDataGenerator | 2.10 (2.00…2.20) | `casting` | 1.05 (1.00…1.10) | 2.00 (2.00…2.00) |" in text


@pytest.mark.parametrize("words", [["casting-kears"], ["--seeds", "some"]])
def test_wrong_words_are_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import notebook_loops

    monkeypatch.setattr(sys, "argv", ["notebook_loops.py", *words])
    with pytest.raises(SystemExit) as ended:
        notebook_loops.main()
    assert ended.value.code == 2


def test_images_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import notebook_loops

    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    words = ["casting-keras", "--kept", str(tmp_path / "runs.jsonl")]
    monkeypatch.setattr(sys, "argv", ["notebook_loops.py", *words, "--output", str(tmp_path / "page.md")])
    with pytest.raises(SystemExit, match=r"casting: expected images in \$EDGECNN_DATA, got none"):
        notebook_loops.main()
    assert not (tmp_path / "page.md").exists()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_the_digits_loop_learns_and_repeats_itself(tmp_path: Path) -> None:
    from notebook_digits import train_mnist

    # Ten classes, told apart by where a bright square stands.
    generator, arrays = np.random.default_rng(0), {}
    for part, count in (("train", 320), ("test", 40)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = generator.integers(0, 40, (count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 4)
            image[9 * row : 9 * row + 8, 7 * column : 7 * column + 7] = 255
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images, labels
    np.savez(tmp_path / "mnist.npz", **arrays)
    runs = [train_mnist(3, tmp_path, epochs=6) for _ in range(2)]
    assert runs[0].accuracy == runs[1].accuracy
    assert (runs[0].loop, runs[0].seed, runs[0].images, runs[0].epochs) == ("mnist", 3, 40, 6)
    assert runs[0].accuracy > 0.6


@pytest.mark.end_to_end
def test_every_casting_loader_feeds_the_notebooks_network(tmp_path: Path) -> None:
    needs.package("skimage", "scikit-image")
    from notebook_casting import SHAPE, Way, build, load

    generator = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 4)):
        for name, prefix in (("def_front", "cast_def"), ("ok_front", "cast_ok")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, SHAPE, np.uint8)
                Image.fromarray(pixels).save(folder / f"{prefix}_0_{number}.jpeg")
    for way in (Way.KERAS, Way.TF, Way.SKIMAGE):
        feed = load(way, 0, tmp_path)
        assert sorted(feed.test_labels) == [0] * 4 + [1] * 4
        images, labels = next(iter(feed.training))
        assert images.shape == (32, *SHAPE)
        assert set(np.asarray(labels)) == {0, 1}
        assert (np.max(images) <= 1) == (way is Way.KERAS)
        assert build(way, 0).predict(feed.test, verbose=0).shape == (8, 2)
    # The notebook prints both counts.
    assert build(Way.TF, 0).count_params() == 4_394_786


def test_the_page_is_what_the_repository_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import notebook_loops

    page = tmp_path / "NOTEBOOKS.md"
    monkeypatch.setattr(sys, "argv", ["notebook_loops.py", "--seeds", "0", "--output", str(page)])
    notebook_loops.main()
    assert page.read_text() == notebook_loops.PAGE.read_text()
