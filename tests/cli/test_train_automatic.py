"""`edgecnn train --data FOLDER`: no recipe is named, and edgecnn chooses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import edgecnn_here
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.workstation.run_folder import RunFolder

# Nothing is learnt in this time; what is tested is what happens.
QUICK = ["--epochs", "1", "--folds", "2", "--weights", "none"]


def edgecnn(*arguments: str | Path) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> Path:
    """Class folders with 18 nines and 9 fours."""
    images, labels = digits
    folder = tmp_path_factory.mktemp("mine") / "my digits"
    for label, count in ((9, 18), (4, 9)):
        (folder / str(label)).mkdir(parents=True)
        for index in np.flatnonzero(labels == label)[:count]:
            Image.fromarray(images[index, :, :, 0]).save(folder / str(label) / f"{index}.png")
    return folder


def test_a_plan_says_what_and_why_and_writes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = edgecnn_here("train", "--data", folder, *QUICK, "--plan")
    assert "27 grey images of 2 classes, 9 to 18 of a class, some 28 pixels" in out
    assert "small-cnn  28x28x1       1               0      2  yes" in out
    assert "transfer is left out: it would have random weights" in out
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_is_planned_anew_where_it_is_overwritten(folder: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    run.plan.write_text("{}")
    words = ("train", "--data", folder, *QUICK, "--output", run.path)
    assert "got an unfinished run; give --resume" in edgecnn_here(*words, code=2)
    assert "train again with --overwrite" in edgecnn_here(*words, "--resume", code=2)
    assert "Plan for " in edgecnn_here(*words, "--overwrite", "--plan")


def test_it_trains_what_it_chose_on_all_images(folder: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    out, err = edgecnn("--data", folder, *QUICK, "--output", run.path)
    assert "fold 2/2  accuracy " in out
    assert "Out-of-fold accuracy " in out
    assert f"Next: edgecnn export {run.path} --int8" in out
    assert "Traceback" not in err
    record = run.read_record()
    assert record.recipe["name"] == "small-cnn"
    assert record.division is not None
    assert record.division.joined == ("train", "test")
    (entry,) = json.loads(run.candidates.read_text())
    metrics = json.loads(run.metrics.read_text())
    assert entry["accuracy"] == metrics["accuracy"]
    assert metrics["images"] == 27
    assert not run.checkpoints.exists()
    err = edgecnn_here("train", "--data", folder, *QUICK, "--output", run.path, code=2)
    assert "expected a folder without a run, got a finished run" in err
    out = edgecnn_here("train", "--output", run.path, "--resume")
    assert "was finished before; it is left as it is" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "recipe: expected a name, --data with your images or --config, got none of them"),
        (["--data", "FOLDER", "--minutes", "0"], "minutes: expected a finite number above 0, got 0"),
        (["--data", "FOLDER", "--minutes", "nan"], "minutes: expected a finite number above 0, got nan"),
        (["mnist", "--plan"], "--plan: expected no recipe, as mnist is trained as it is"),
        (["mnist", "--minutes", "5"], "--minutes: expected no recipe, as mnist is trained as it is"),
        (["--data", "no/such/folder"], "no/such/folder: not found"),
        (["--data", "FOLDER", "--folds", "1"], "folds: expected 0, or at least 2, got 1"),
        (["--data", "FOLDER", "--imgsz", "0"], "imgsz: expected at least 1, got 0"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_wrong_arguments(arguments: list[str], message: str, folder: Path) -> None:
    given = [str(folder) if word == "FOLDER" else word for word in arguments]
    err = edgecnn_here("train", *given, code=2)
    assert message in err
