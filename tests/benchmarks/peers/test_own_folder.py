"""`make own-folder` draws the same sets everywhere, keeps what each training reaches, and writes a page of it."""

import csv
import re
import sys
from collections.abc import Mapping, Sequence
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
    from own_folder_runs import FolderRun

    values = {
        "set": "faces",
        "way": "baseline",
        "seed": 0,
        "fingerprint": "0" * 12,
        "images": 120,
        "accuracy": 0.9,
        "worst_recall": 0.8,
        "worst_class": "face",
        "ece": 0.03,
        "seconds": 20.0,
        "machine": "a processor, 2 processors",
        "keras": "3.15.1",
    }
    return FolderRun(**{**values, **changes})


def blobs(count: int, seed: int) -> list[np.ndarray]:
    """Return images `(16, 16)` of noise coarse enough to stay what they are as thumbnails."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4), np.uint8)
    return list(coarse.repeat(4, axis=1).repeat(4, axis=2))


def a_set(source: Mapping[str, Sequence[np.ndarray]], classes: Mapping[str, int], held_out: int):  # type: ignore[no-untyped-def]
    from own_folder_sets import FolderSet

    return FolderSet("few", "a few images", "made here", lambda: source, classes, held_out)


def pixels_below(folder: Path) -> dict[str, list[bytes]]:
    return {
        place.name: [np.asarray(Image.open(file)).tobytes() for file in sorted(place.iterdir())]
        for place in sorted(folder.iterdir())
    }


def test_a_set_is_drawn_by_its_images_alone(tmp_path: Path) -> None:
    from own_folder_sets import draw

    source = {name: blobs(12, seed) for seed, name in enumerate("abc")}
    first = draw(a_set(source, {"a+b": 5, "c": 2}, 6), tmp_path / "first")
    turned = {name: images[::-1] + images for name, images in source.items()}
    second = draw(a_set(turned, {"a+b": 5, "c": 2}, 6), tmp_path / "second")
    assert first.fingerprint == second.fingerprint
    training, held_out = pixels_below(first.training), pixels_below(first.held_out)
    assert (training, held_out) == (pixels_below(second.training), pixels_below(second.held_out))
    assert {name: len(images) for name, images in training.items()} == {"a+b": 5, "c": 2}
    assert {name: len(images) for name, images in held_out.items()} == {"a+b": 6, "c": 6}
    everything = [image for part in (training, held_out) for images in part.values() for image in images]
    assert len(set(everything)) == len(everything)
    assert set(training["c"] + held_out["c"]) <= {image.tobytes() for image in source["c"]}


def test_what_nearly_is_a_training_image_is_not_held_out(tmp_path: Path) -> None:
    from own_folder_sets import draw

    # Each image and its mirror image: the one that is not trained on is not held out either.
    images = blobs(8, 0)
    source = {"a": images + [np.ascontiguousarray(image[:, ::-1]) for image in images], "b": blobs(20, 1)}
    drawn = draw(a_set(source, {"a": 5, "b": 5}, 4), tmp_path)
    trained = pixels_below(drawn.training)["a"]
    for held_out in pixels_below(drawn.held_out)["a"]:
        mirrored = np.frombuffer(held_out, np.uint8).reshape(16, 16)[:, ::-1].tobytes()
        assert held_out not in trained
        assert mirrored not in trained


def test_a_source_with_too_few_images_is_named(tmp_path: Path) -> None:
    from own_folder_sets import draw

    with pytest.raises(DataError, match=r"few: expected 5 images of a and 4 others to hold out, got 8 and 3"):
        draw(a_set({"a": blobs(8, 0)}, {"a": 5}, 4), tmp_path)


@pytest.mark.parametrize(("name", "fingerprint"), [("few-digits", "0603487dfce8"), ("faces", "cf83dbd34efd")])
def test_the_sets_of_packages_are_those_that_were_measured(tmp_path: Path, name: str, fingerprint: str) -> None:
    if name == "faces":
        needs.package("skimage", "scikit-image")
    from own_folder_runs import read_runs
    from own_folder_sets import SETS, draw

    (wanted,) = (one for one in SETS if one.name == name)
    assert draw(wanted, tmp_path).fingerprint == fingerprint
    assert {run.fingerprint for run in read_runs() if run.set == name} <= {fingerprint}


@pytest.mark.parametrize(
    ("answers", "ece"),
    [
        ([(True, 1.0)] * 4, 0.0),
        ([(False, 1.0)] * 4, 1.0),
        # One bin, of (12/15, 13/15]: half are right at a mean of 0.83.
        ([(True, 0.82), (False, 0.84)], 0.33),
        # Two bins do not make up for each other.
        ([(True, 0.5), (False, 0.9)], 0.7),
        # A bin holds its upper end: 0.6 is 9/15, and so is apart from 0.601.
        ([(True, 0.6), (False, 0.601)], (0.4 + 0.601) / 2),
    ],
)
def test_ece(answers: list[tuple[bool, float]], ece: float) -> None:
    from own_folder_runs import expected_calibration_error

    assert expected_calibration_error(answers) == pytest.approx(ece)


def test_predictions_are_scored(tmp_path: Path) -> None:
    from own_folder_runs import HeldOutScores, read_scores

    rows = [("1", "a", "a", 1), ("2", "a", "b", 1), ("3", "b", "b", 1), ("4", "b", "b", 1)]
    write_predictions(tmp_path / "predictions.csv", rows)
    assert read_scores(tmp_path / "predictions.csv") == HeldOutScores(4, 0.75, 0.5, "a", 0.25)


def write_predictions(path: Path, rows: Sequence[tuple[str, str, str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "true", "predicted", "probability"), *rows])


def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> str:
    import own_folder

    page = tmp_path / "OWN_FOLDER.md"
    places = ("--home", str(tmp_path / "home"), "--kept", str(tmp_path / "runs.jsonl"), "--output", str(page))
    monkeypatch.setattr(sys, "argv", ["own_folder.py", *places, *words])
    own_folder.main()
    return page.read_text()


def test_a_stopped_measurement_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import own_folder
    from own_folder_runs import read_runs
    from own_folder_sets import FolderSet, SourceMissingError

    def missing() -> Mapping[str, Sequence[np.ndarray]]:
        raise SourceMissingError("put it into $EDGECNN_DATA")

    sets = (
        FolderSet("few", "a few images", "made here", lambda: {"a": blobs(9, 0)}, {"a": 5}, 4),
        FolderSet("fewer", "fewer images", "made here", missing, {"a": 1}, 1),
    )
    commands = []

    def command(*words: str) -> float:
        commands.append(words)
        if "train" in words and "small-cnn" not in words:
            raise own_folder.CommandFailedError("train: exit code 2; expected weights")
        if "--predictions" in words:
            write_predictions(Path(words[-1]), [("1", "a", "a", 1)])
        if "evaluate" in words:
            write_predictions(Path(words[words.index("--output") + 1], "predictions.csv"), [("1", "a", "a", 1)])
        return 1.5

    monkeypatch.setattr(own_folder, "SETS", sets)
    monkeypatch.setattr(own_folder, "_python", command)
    monkeypatch.setattr(own_folder, "_recipe", lambda run: "small-cnn")
    start(monkeypatch, tmp_path, "--seeds", "1", "--minutes", "0")
    assert commands == []
    start(monkeypatch, tmp_path, "--seeds", "2")
    printed = capsys.readouterr().out
    assert "fewer: left out; put it into $EDGECNN_DATA" in printed
    assert printed.count("left out; train: exit code 2; expected weights") == 4
    runs = read_runs(tmp_path / "runs.jsonl")
    assert [run.key for run in runs] == [
        ("few", way, seed) for way in ("augment", "baseline", "small-cnn") for seed in (0, 1)
    ]
    assert {run.int8_accuracy for run in runs if run.way == "augment"} == {1.0}
    # Another start only tries what is missing.
    commands.clear()
    start(monkeypatch, tmp_path, "--seeds", "2")
    assert len(commands) == 4
    (default, *_) = commands
    assert default[:3] == ("-m", "edgecnn", "train")
    assert default[3] == "--data"
    # Other images are other runs.
    sets[0].classes["a"] = 4  # type: ignore[index]
    commands.clear()
    start(monkeypatch, tmp_path, "--seeds", "1", "--ways", "baseline")
    assert len(commands) == 1


def test_the_page_says_which_goal_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from own_folder_runs import keep

    for run in (
        a_run(),
        a_run(seed=1, accuracy=0.92),
        a_run(seed=2, accuracy=0.94),
        # Under 100 images: 2 points are allowed, and an ECE of 8.
        a_run(way="default", accuracy=0.9, worst_recall=0.72, ece=0.08, int8_accuracy=0.895, recipe="transfer"),
        a_run(set="hands", ece=0.06),
        a_run(set="hands", way="default", accuracy=0.88, worst_recall=0.7, ece=0.06, int8_accuracy=0.87),
        a_run(set="hands", way="small-cnn", accuracy=0.5),
    ):
        keep(run, tmp_path / "runs.jsonl")
    page = start(monkeypatch, tmp_path, "--seeds", "0")
    chosen = (
        "| faces: 60 photos of two classes | 60 | 92.0 / 80 | 90.0 / 72 | not measured | not measured | not measured |"
    )
    assert chosen in page
    section = {name: rows for name, *rows in (part.splitlines() for part in page.split("\n## "))}
    (baseline, default, small_cnn, *_) = [row for row in section["faces"] if " | " in row][1:]
    assert (
        baseline
        == "| plain Keras baseline | 3 | 92.0 (90.0 … 94.0) | face: 80 (80 … 80) | 3.0 (3.0 … 3.0) | 20 (20 … 20) |  |"
    )
    assert default == "| `edgecnn train`: transfer | 1 | 90.0 | face: 72 | 8.0 | 20 | 89.5, -0.5 |"
    assert small_cnn == "| `train small-cnn` | 0 | not measured |  |  |  |  |"
    (baseline, default, small_cnn, *_) = [row for row in section["hands"] if " | " in row][1:]
    assert re.findall(r"\*\*missed\*\*", default) == ["**missed**"] * 4
    assert "missed" not in baseline + small_cnn
    assert "no file" in small_cnn


@pytest.mark.parametrize("words", [["--sets", "facse"], ["--ways", "best"], ["--seeds", "some"]])
def test_wrong_words_are_refused(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        start(monkeypatch, tmp_path, *words)
    assert ended.value.code == 2


def test_a_damaged_line_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text('{"set": "faces"}\n')
    with pytest.raises(SystemExit, match=r"runs\.jsonl, line 1: expected a training of a set, got .* own_folder\.py"):
        start(monkeypatch, tmp_path, "--seeds", "0")


def test_the_kept_runs_are_of_sets_and_ways_that_exist() -> None:
    from own_folder_runs import read_runs
    from own_folder_sets import SETS
    from own_folder_ways import WAYS

    runs = read_runs()
    assert {run.set for run in runs} <= {wanted.name for wanted in SETS}
    assert {run.way for run in runs} <= {way.name for way in WAYS}


def test_the_page_is_what_the_repository_holds(tmp_path: Path) -> None:
    from own_folder import PAGE
    from own_folder_page import write_page
    from own_folder_runs import read_runs

    write_page(tmp_path / "page.md", read_runs())
    assert (tmp_path / "page.md").read_text() == PAGE.read_text()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_a_folder_is_trained_on_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import own_folder
    from own_folder_sets import draw

    bright = [np.minimum(image // 2 + 128, 255).astype(np.uint8) for image in blobs(40, 0)]
    dark = [image // 2 for image in blobs(40, 1)]
    drawn = draw(a_set({"bright": bright, "dark": dark}, {"bright": 12, "dark": 12}, 10), tmp_path)
    words = ("small-cnn", "--imgsz", "16", "--epochs", "4", "--least-steps", "40")
    for trained in (
        own_folder._train_baseline(drawn, 0, tmp_path / "baseline"),
        own_folder._train(drawn, words, 0, tmp_path / "edgecnn"),
    ):
        assert trained.scores.images == 20
        assert trained.scores.accuracy > 0.9
        assert trained.seconds > 0
    assert trained.recipe == "small-cnn"
    assert trained.int8_accuracy is not None
    assert trained.int8_accuracy > 0.9
