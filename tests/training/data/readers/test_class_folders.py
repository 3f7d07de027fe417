"""Class folders as users have them: layouts, labels, splits, and what is said about the rest."""

import shutil
import zipfile
from pathlib import Path

import needs
import numpy as np
import pytest

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.holdout import Holdout, with_test_split
from edgecnn_training.data.readers.class_folders import read_class_folders
from edgecnn_training.data.readers.source import RawImageSet


def tree(folder: Path, *names: str) -> Path:
    """Make empty files, and folders where a name ends in `/`: nothing is decoded here."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return folder


def read(path: Path, holdout: Holdout | None = None) -> RawImageSet:
    return with_test_split(read_class_folders(path), holdout or Holdout(), name=str(path))


def zipped(folder: Path) -> Path:
    """Pack a folder into an archive beside it, its empty folders too."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def images(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number}.png" for number in range(count)]


CATS_AND_DOGS = (*images("cat", 10), *images("dog", 5))
SPLIT = (*images("train/cat", 3), *images("train/dog", 2), *images("test/cat", 1), *images("test/dog", 1))

# What is made, the labels, and the images of each class by split.
LAYOUTS = {
    "flat": (CATS_AND_DOGS, ("cat", "dog"), {"train": [8, 4], "test": [2, 1]}),
    "train and test": (SPLIT, ("cat", "dog"), {"train": [3, 2], "test": [1, 1]}),
    "with valid": ((*SPLIT, "valid/dog/1.png"), ("cat", "dog"), {"train": [3, 2], "valid": [0, 1], "test": [1, 1]}),
    "other names": (
        [name.replace("train/", "Training/").replace("test/", "val/") for name in SPLIT] + images("training/x", 0),
        ("cat", "dog"),
        {"train": [2, 2], "valid": [1, 1], "test": [1, 0]},
    ),
    "one folder deeper": (
        [f"data/data/{name}" for name in CATS_AND_DOGS],
        ("cat", "dog"),
        {"train": [8, 4], "test": [2, 1]},
    ),
    "classes named as splits": (
        (*images("train", 5), *images("bus", 5)),
        ("bus", "train"),
        {"train": [4, 4], "test": [1, 1]},
    ),
    "numbers in order": (
        (*images("10", 5), *images("9", 5), *images("class2", 5), *images("class10", 5)),
        ("9", "10", "class2", "class10"),
        {"train": [4, 4, 4, 4], "test": [1, 1, 1, 1]},
    ),
    "sub-folders within a class": (
        (*images("cat/a", 3), *images("cat/b", 2), *images("dog", 5)),
        ("cat", "dog"),
        {"train": [4, 4], "test": [1, 1]},
    ),
    "hidden": (
        (*CATS_AND_DOGS, ".git/config", "cat/.DS_Store", "cat/.thumbnails/1.png", "__MACOSX/cat/1.png"),
        ("cat", "dog"),
        {"train": [8, 4], "test": [2, 1]},
    ),
    "other writings": (
        ("ä b/1.JPEG", "ä b/2.tif", "犬/1.webp", "犬/2.bmp"),
        ("ä b", "犬"),
        {"train": [1, 1], "test": [1, 1]},
    ),
}


@pytest.mark.parametrize("packing", ["folder", "zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, packing, tmp_path):
    names, labels, expected = LAYOUTS[layout]
    fraction = 0.5 if layout == "other writings" else 0.2
    folder = tree(tmp_path / "set", *names)
    source = read(folder if packing == "folder" else zipped(folder), Holdout(fraction))
    assert source.labels == labels
    assert {
        name: np.bincount(split.labels, minlength=len(labels)).tolist() for name, split in source.splits.items()
    } == expected
    assert source.findings == ()
    for split in source.splits.values():
        for image, number, file in zip(split.images, split.labels, split.files, strict=True):
            assert image == (folder / file if packing == "folder" else b"")
            assert (folder / file).is_file()
            assert labels[number] in file.split("/")


def test_the_choice_of_test_images_follows_the_seed(tmp_path):
    tree(tmp_path, *CATS_AND_DOGS)
    first, again, other = (read(tmp_path, Holdout(0.4, seed)) for seed in (0, 0, 1))
    assert first.splits["test"].files == again.splits["test"].files != other.splits["test"].files
    assert len(first) == 15
    assert not set(first.splits["train"].files) & set(first.splits["test"].files)


LEFT_OUT = {
    "no image by its suffix": ((*CATS_AND_DOGS, "cat/notes.txt", "dog/x.xml"), "2 (cat/notes.txt, dog/x.xml)"),
    "beside the class folders": ((*CATS_AND_DOGS, "stray.png"), "no label and are left out: 1 (stray.png)"),
    "beside the splits": ((*SPLIT, "models/a/1.png"), "folders beside test and train are left out: 1 (models)"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_told(case, tmp_path):
    names, part = LEFT_OUT[case]
    (finding,) = read_class_folders(tree(tmp_path, *names)).findings
    assert part in str(finding)


UNUSABLE = {
    "empty folder": ((), "got no sub-folder"),
    "images without class folders": (("1.png", "2.png"), "got no sub-folder; put the images of each class into"),
    "no image": (("cat/", "dog/a.txt"), "got none; an image is recognized by its suffix"),
    "one class": (images("cat", 5), "expected at least two classes, got only cat"),
    "an empty class": (
        (*images("cat", 5), "dog/"),
        "of every class, got none of: dog; add images or remove the folder",
    ),
    "a class that is only tested": ((*SPLIT, "test/cow/1.png"), "got none of: cow;"),
    "nothing to train on": (
        (*images("valid/cat", 3), *images("valid/dog", 3), *images("test/cat", 3)),
        "in a split 'train', got only valid and test; add them",
    ),
    "two folders of one split": ((*SPLIT, "val/cat/1.png", "valid/cat/1.png"), "expected one valid folder"),
    "too few to test": (
        (*images("cat", 1), *images("dog", 1), *images("cow", 1)),
        "enough images to keep 20% of each class for testing and train on others, "
        "got too few of: cat (1), cow (1), dog (1); have at least 3 of each class",
    ),
    "two faults at once": (
        (*images("cat", 1), "dog/", "d\nog/"),
        "'d\\nog'; rename it. Besides, expected training images of every class, got none of: d\nog, dog; add images or "
        "remove the folder. Besides, expected enough images",
    ),
    "a name with a line break": (
        (*images("cat", 5), *images("d\nog", 5)),
        "expected classes with printable names, got 'd\\nog'",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_told_with_what_to_do(case, tmp_path):
    names, part = UNUSABLE[case]
    with pytest.raises(DataError) as caught:
        read(tree(tmp_path / "set", *names))
    assert part in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(("name", "part"), [("nowhere", "not found; expected"), ("file", "got another file")])
def test_no_folder(name, part, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=part):
        read_class_folders(tmp_path / name)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_an_impossible_share_is_refused(fraction):
    with pytest.raises(DataError, match="between 0 and 1"):
        Holdout(fraction)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    tree(tmp_path / "elsewhere", *images("dog", 5))
    tree(tmp_path / "set", *images("cat", 5))
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    (tmp_path / "set" / "cat" / "up").symlink_to(tmp_path / "set")
    assert len(read(tmp_path / "set")) == 10


def test_a_csv_beside_the_images_is_pointed_at(tmp_path):
    tree(tmp_path, "labels.csv", *images("images", 5))
    with pytest.raises(DataError, match=r"prepare --labels CSV"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"--labels labels\.csv"):
        read_class_folders(tree(tmp_path / "flat", "labels.csv", "1.png"))


REAL = {
    "casting": {"train": [395, 445], "test": [416, 262]},
    "symbols": {"train": [60] * 3, "valid": [12] * 3, "test": [4] * 3},
}


@pytest.mark.parametrize("name", REAL)
def test_real_class_folders(name):
    source = read_class_folders(needs.data(name))
    assert {split: np.bincount(part.labels).tolist() for split, part in source.splits.items()} == REAL[name]


def images_of(*folders: str, count: int = 5) -> list[str]:
    return [name for folder in folders for name in images(folder, count)]


# What is made, the folder that is given, and what is said.
WRONG_LEVELS = {
    "a folder of sets": (
        images_of("big/bag", "big/shoe", "tiny/bag", "tiny/shoe"), "",
        "hold only folders (big: bag, shoe); if those are the classes, give {0}/big, {0}/tiny; if big, tiny are, put "
        "their images directly into them",
    ),
    "a folder of sets with splits": (
        images_of("a/train/bag", "a/train/shoe", "a/test/bag", "b/train/bag", "b/train/shoe"), "",
        "if those are the classes, give {0}/a, {0}/b;",
    ),
    "far above": (images_of("x/sets/a/bag", "x/sets/a/shoe", "y/b/bag", "y/b/shoe"), "", "give {0}/x/sets/a, {0}/y/b;"),
    "classes of folders": (images_of("cat/day", "cat/night", "dog/day"), "", "(cat: day, night); if those are"),
    "an old set within": (
        images_of("bag", "shoe", "old/bag", "old/shoe"), "",
        "got old, which holds the classes again (bag, shoe); move it elsewhere",
    ),
    "an old set within a split": (
        images_of("train/bag", "train/shoe", "train/old/bag", "train/old/shoe", "test/bag"), "",
        "train: expected one sub-folder per class with its images, got old",
    ),
    "one class": (images_of("tiny/bag", "tiny/shoe"), "tiny/bag", "if this is one class of {0}/tiny, give that folder"),
    "one class of a split": (
        images_of("train/bag", "train/shoe", "test/bag", "test/shoe"), "train/bag",
        "if this is one class of {0}, give that folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_LEVELS)
def test_a_folder_of_the_wrong_level_is_told_with_the_right_one(case, tmp_path):
    names, given, part = WRONG_LEVELS[case]
    tree(tmp_path / "set", *names)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "set" / given)
    assert part.format(tmp_path / "set") in str(caught.value)


def test_a_zip_of_sets_is_to_be_unpacked(tmp_path):
    archive = zipped(tree(tmp_path / "sets", *images_of("big/bag", "big/shoe", "tiny/bag", "tiny/shoe")))
    with pytest.raises(DataError, match=r"unpack it and give one of .*big, "):
        read_class_folders(archive)


@pytest.mark.parametrize("names", [
    images_of("train/cat/day", "train/cat/night", "train/dog/day", "test/cat", "test/dog"),  # the level is known
    images_of("cat/day", "cat/night", "dog"),
    images_of("cat", "cat/cat", "dog"),
])  # fmt: skip
def test_a_class_may_be_divided(names, tmp_path):
    source = read_class_folders(tree(tmp_path, *names))
    assert source.labels == ("cat", "dog")
    assert len(source) == len(names)


def test_one_split_alone_is_read_and_its_others_named(tmp_path):
    tree(tmp_path, *images_of("train/cat", "train/dog", "Test/cat", "validation/dog"))
    (finding,) = read_class_folders(tmp_path / "train").findings
    assert str(finding).endswith(f"{tmp_path / 'train'} are not read; give the folder above: 2 (Test, validation)")


def test_an_archive_costs_no_more_than_what_it_has(tmp_path):
    """Of 64 kB, the folders of one name took more memory than there is; 1 MB of zeros unpacked to 1 GB."""
    deep, bomb = tmp_path / "deep.zip", tmp_path / "bomb.zip"
    with zipfile.ZipFile(deep, "w") as archive:
        archive.writestr("a/" * 30_000 + "1.png", b"")
    with pytest.raises(DataError, match="at most 32 folders in one another, got 30,000"):
        read_class_folders(deep)
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in {"cat/1.bmp": 34_000_000, "cat/2.bmp": 33_000_000, "dog/1.bmp": 10}.items():
            archive.writestr(name, bytes(size))
    assert [len(content) for content in read_class_folders(bomb).splits["train"].images] == [0, 33_000_000, 10]
