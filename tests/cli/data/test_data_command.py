"""`edgecnn data` as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import edgecnn, edgecnn_here
from PIL import Image
from typer.testing import CliRunner

from edgecnn.app import command_line
from edgecnn_runtime.manifest import Colour, InputSpec, Interpolation, Resize
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.workstation.image_set import open_prepared


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An EDGECNN_HOME that does not exist yet, and no EDGECNN_DATA."""
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    return tmp_path / "home"


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


def test_prepare_from_a_file_then_list(home, tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    assert "30 train + 10 test images of 10 classes" in edgecnn("data", "prepare", "mnist", "--from", npz)
    assert len(open_prepared(home / "sets" / "mnist").split("train")) == 30
    listed = edgecnn_here("data", "list", "--json")
    prepared = {entry["name"]: entry["prepared"] for entry in json.loads(listed)}
    assert prepared.pop("mnist") == str(home / "sets" / "mnist")
    assert set(prepared.values()) == {None}


def test_that_a_set_is_not_whole_is_said(home, tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    run = CliRunner().invoke(command_line(), ["data", "prepare", "mnist", "--from", str(npz)])
    assert "warning: train: expected 60,000 images" in run.stderr


def test_prepare_finds_the_source_and_prints_one_document(home, tmp_path, monkeypatch):
    write_npz(tmp_path / "sources" / "mnist" / "mnist.npz")
    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path / "sources"))
    document = json.loads(edgecnn_here("data", "prepare", "mnist", "--json", "--output", tmp_path / "set"))
    assert document["folder"] == str(tmp_path / "set")
    assert document["fingerprint"] == open_prepared(tmp_path / "set").fingerprint
    assert not home.exists()


def test_quiet_prints_nothing_on_stdout(home, tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    assert edgecnn_here("data", "prepare", "mnist", "--from", npz, "--quiet") == ""


def test_a_set_is_prepared_by_the_whole_policy(home, tmp_path):
    npz = write_npz(tmp_path / "mnist.npz")
    words = ("--interpolation", "bilinear-no-antialias", "--resize-size", "26", "--background", "white")
    said = edgecnn_here("data", "prepare", "mnist", "--from", npz, "--imgsz", "24", *words)
    name = "mnist-24x24-grey-crop-26-bilinear-no-antialias"
    assert name in said
    prepared = open_prepared(home / "sets" / name)
    # Scaled decoding, the default, would smooth what the filter does not.
    spec = InputSpec(
        24,
        24,
        Colour.GREY,
        Resize.CROP,
        interpolation=Interpolation.BILINEAR_NO_ANTIALIAS,
        resize_size=26,
    )
    assert prepared.input == spec
    with np.load(npz) as source:
        assert np.array_equal(prepared.split("test").images[3], read_image(source["x_test"][3], spec))


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
    "no such filter": (
        ["prepare", "mnist-5000", "--interpolation", "linear"],
        "--interpolation: expected one of bilinear, bilinear-no-antialias, nearest, area, bicubic, got 'linear'",
    ),
    "a crop that is no part": (
        ["prepare", "mnist-5000", "--resize-size", "20"],
        "--resize-size: expected 28 or more, the longer side of the crop 28x28",
    ),
    "a filter of single pixels behind one of many": (
        ["prepare", "mnist-5000", "--interpolation", "nearest", "--decode", "scaled"],
        "--decode: expected full beside the interpolation nearest",
    ),
    "no such size": (["prepare", "mnist-5000", "--imgsz", "0"], "--imgsz: expected 1 or more, got 0"),
    "an impossible share": (["prepare", ".", "--imgsz", "8", "--test-fraction", "1"], "between 0 and 1"),
    "nothing to check": (["check", "nowhere"], "nowhere: not found; expected the name of a known set"),
    "nothing to show": (["show", "nowhere"], "nowhere: not found; expected the name of a known set"),
    "unknown option": (["prepare", "mnist", "--form", "x"], "--form"),
    "unknown command": (["fetch"], "fetch"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_without_a_traceback(mistake, home, tmp_path):
    arguments, part = MISTAKES[mistake]
    if mistake == "damaged file":
        path = write_npz(tmp_path / "damaged.npz", test_images=9)
        arguments, part = [*arguments[:-1], str(path)], "10 labels for 9 images"
    told = edgecnn_here("data", *arguments, code=2)
    assert part in told
    assert "Traceback" not in told
    assert not home.exists()


@pytest.mark.parametrize(
    "counts", [{"a": 0, "b": 5, "c": 4}, {"a": 1, "b": 0, "c": 1}, {"b": 5}, {"a": 0, "b": 1}], ids=str
)
def test_a_set_that_cannot_be_trained_on_is_checked_as_a_whole(counts, home, tmp_path):
    """All in one report, an unreadable image too; and what prepares the set says in one sentence what is missing."""
    for label, count in counts.items():
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng([number, len(label)]).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{number}.png")
    (tmp_path / "set" / "b" / "bad.png").write_bytes(b"no image")
    document = json.loads(edgecnn_here("data", "check", tmp_path / "set", "--json"))
    kinds = [finding["kind"] for finding in document["findings"]]
    assert {"untrainable", "unreadable"} <= set(kinds)
    assert "expected no finding with --strict" in edgecnn_here("data", "check", tmp_path / "set", "--strict", code=1)
    told = edgecnn_here("data", "prepare", tmp_path / "set", "--imgsz", "8", code=2)
    for finding in document["findings"]:
        assert finding["kind"] != "untrainable" or finding["text"] in told
    assert not (home / "sets").exists()
