"""`edgecnn data` as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn_runtime.workstation.image_set import open_prepared


def edgecnn(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("EDGECNN_")}
    return subprocess.run(
        [sys.executable, "-m", "edgecnn", *arguments],
        env=environment | {"EDGECNN_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def write_npz(path: Path, *, test_images: int = 10) -> Path:
    generator = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        x_train=generator.integers(0, 256, (30, 28, 28), np.uint8),
        y_train=(np.arange(30) % 10).astype(np.uint8),
        x_test=generator.integers(0, 256, (test_images, 28, 28), np.uint8),
        y_test=np.arange(10).astype(np.uint8),
    )
    return path


def test_prepare_from_a_file_then_list(tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    done = edgecnn("data", "prepare", "mnist", "--from", str(npz), home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "30 train + 10 test images of 10 classes" in done.stdout
    # It is not the whole MNIST, and that is said.
    assert "warning: train: expected 60,000 images" in done.stderr
    assert len(open_prepared(tmp_path / "home" / "sets" / "mnist").split("train")) == 30
    listed = edgecnn("data", "list", "--json", home=tmp_path / "home")
    prepared = {entry["name"]: entry["prepared"] for entry in json.loads(listed.stdout)}
    assert prepared.pop("mnist") == str(tmp_path / "home" / "sets" / "mnist")
    assert set(prepared.values()) == {None}


def test_prepare_finds_the_source_and_prints_one_document(tmp_path):
    write_npz(tmp_path / "sources" / "mnist" / "mnist.npz")
    arguments = ("data", "prepare", "mnist", "--json", "--output", str(tmp_path / "set"))
    done = edgecnn(*arguments, home=tmp_path / "home", EDGECNN_DATA=str(tmp_path / "sources"))
    document = json.loads(done.stdout)
    assert document["folder"] == str(tmp_path / "set")
    assert document["fingerprint"] == open_prepared(tmp_path / "set").fingerprint
    assert not (tmp_path / "home").exists()


def test_quiet_prints_nothing_on_stdout(tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    done = edgecnn("data", "prepare", "mnist", "--from", str(npz), "--quiet", home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (0, "")


MISTAKES = {
    "unknown name": (["prepare", "cifar"], "mnist, mnist-5000"),
    "no name": (["prepare"], "SET"),
    "missing path": (["prepare", "mnist", "--from", "nowhere"], "nowhere: "),
    "damaged file": (["prepare", "mnist", "--from", "damaged.npz"], "9 labels"),
    "class folders without a size": (["prepare", "."], "expected --imgsz for your own images"),
    "class folders and a source": (
        ["prepare", ".", "--from", "x", "--imgsz", "8"],
        "--from x: expected the name of a known set",
    ),
    "labels of a known set": (
        ["prepare", "mnist-5000", "--labels", "x.csv"],
        "--labels: expected your own images, got the known set mnist-5000",
    ),
    "a column without a CSV": (["check", ".", "--label-column", "x"], "expected --labels CSV"),
    "no such colour": (
        ["prepare", "mnist-5000", "--colour", "green"],
        "--colour: expected one of grey, rgb, got 'green'",
    ),
    "no such size": (["prepare", "mnist-5000", "--imgsz", "0"], "--imgsz: expected 1 or more, got 0"),
    "an impossible share": (["prepare", ".", "--imgsz", "8", "--test-fraction", "1"], "between 0 and 1"),
    "nothing to check": (["check", "nowhere"], "nowhere: not found; expected the name of a known set"),
    "nothing to show": (["show", "nowhere"], "nowhere: not found; expected the name of a known set"),
    "unknown option": (["prepare", "mnist", "--form", "x"], "--form"),
    "unknown command": (["fetch"], "fetch"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_without_a_traceback(mistake, tmp_path):
    arguments, part = MISTAKES[mistake]
    if mistake == "damaged file":
        path = write_npz(tmp_path / "damaged.npz", test_images=9)
        arguments, part = [*arguments[:-1], str(path)], "10 labels for 9 images"
    done = edgecnn("data", *arguments, home=tmp_path / "home")
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()
