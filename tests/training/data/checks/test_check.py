"""Checking image sets: each fault is found, named and counted; a clean set has none."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import needs
import numpy as np
import pytest
from conftest import edgecnn_here
from PIL import Image, ImageFilter

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.checks.check import check
from edgecnn_training.data.holdout import with_faults_found, with_test_split
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.readers.class_folders import read_class_folders


@pytest.fixture
def photos(tmp_path) -> Path:
    """Twelve different pictures a class to train on, four to test on."""
    generator = np.random.default_rng(5)
    for split, count in (("train", 12), ("test", 4)):
        for label in ("cat", "dog"):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                noise = Image.fromarray(generator.integers(0, 256, (48, 48, 3), np.uint8))
                noise.filter(ImageFilter.GaussianBlur(4)).save(folder / f"{number}.png")
    return tmp_path / "photos"


def copy_across(root: Path) -> None:
    shutil.copy(root / "train/cat/3.png", root / "test/cat/9.png")


def copy_within(root: Path) -> None:
    shutil.copy(root / "train/cat/3.png", root / "train/cat/30.png")


def copy_under_another_label(root: Path) -> None:
    shutil.copy(root / "train/cat/3.png", root / "train/dog/30.png")


def mirror_across(root: Path) -> None:
    with Image.open(root / "train/cat/3.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "test/cat/9.jpg", quality=90)


def truncate(root: Path) -> None:
    path = root / "train/dog/5.png"
    path.write_bytes(path.read_bytes()[:200])


def empty(root: Path) -> None:
    (root / "train/dog/5.png").write_bytes(b"")


def grey(root: Path) -> None:
    with Image.open(root / "test/dog/1.png") as image:
        image.convert("L").save(root / "test/dog/1.png")


def large(root: Path) -> None:
    with Image.open(root / "test/dog/1.png") as image:
        image.resize((60, 50)).save(root / "test/dog/1.png")


def unbalanced(root: Path) -> None:
    for number in range(4, 12):
        (root / f"train/dog/{number}.png").unlink()


def notes(root: Path) -> None:
    (root / "train/dog/notes.txt").touch()


def stray(root: Path) -> None:
    shutil.move(root / "train/dog/5.png", root / "train/5.png")


# What is done to the set, and the kinds and parts of all that is found.
FAULTS = {
    "nothing": (lambda root: None, []),
    "copy across": (copy_across, [("identical", "test: images that are byte-identical to one in train", "9.png = ")]),
    "copy within": (copy_within, [("identical", "train: images that are byte-identical", "30.png = train/cat/3.png")]),
    "copy under another label": (
        copy_under_another_label,
        [
            ("contradiction", "two labels", "train/dog/30.png (dog) = train/cat/3.png (cat)"),
            ("identical", "train: ", "train/dog/30.png = train/cat/3.png"),
        ],
    ),
    "mirror across": (
        mirror_across,
        [
            (
                "near-identical",
                "test: images that are near-identical to one in train",
                "9.jpg = train/cat/3.png mirrored",
            )
        ],
    ),
    "truncated": (truncate, [("unreadable", "train: images that cannot be read", "train/dog/5.png: ")]),
    "empty file": (empty, [("unreadable", "train: ", "train/dog/5.png: expected a whole JPEG, PNG")]),
    "odd mode": (grey, [("mode", "another mode than RGB", "test/dog/1.png L")]),
    "odd size": (large, [("size", "another size than 48x48", "test/dog/1.png 60x50")]),
    "unbalanced": (unbalanced, [("balance", "12 images of cat and 4 of dog", None)]),
    "no image": (notes, [("left-out", "no images by their suffix", "train/dog/notes.txt")]),
    "without a label": (stray, [("file-without-label", "no label", "train/5.png")]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault, photos):
    damage, expected = FAULTS[fault]
    damage(photos)
    findings = check(with_test_split(read_class_folders(photos), name="photos")).findings
    assert [finding.kind for finding in findings] == [kind for kind, _, _ in expected]
    for finding, (_, text, case) in zip(findings, expected, strict=True):
        assert text in finding.text
        if case is None:
            assert not finding.cases
        else:
            (only,) = finding.cases
            assert case in only


def test_what_forbids_training_hides_no_other_fault(photos):
    """An empty class, and too few of another, are findings among the rest."""
    truncate(photos)
    (photos / "train" / "cow").mkdir()
    findings = check(with_faults_found(read_class_folders(photos))).findings
    found = [(finding.kind, finding.text.partition(";")[0]) for finding in findings]
    assert ("untrainable", "expected training images of every class, got none of: cow") in found
    assert ("unreadable", "train: images that cannot be read") in found


def test_what_the_set_holds(photos):
    result = check(with_test_split(read_class_folders(photos), name="photos"))
    assert result.labels == ("cat", "dog")
    assert result.classes == {"train": (12, 12), "test": (4, 4)}
    assert (result.sizes, result.modes) == ({"48x48": 32}, {"RGB": 32})


def test_no_image_that_can_be_read(photos):
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="got none that it reads"):
        check(with_test_split(read_class_folders(photos), name="photos"))


def test_command(photos, tmp_path):
    environment = {"EDGECNN_HOME": str(tmp_path / "home")}
    assert "No problems found." in edgecnn_here("data", "check", photos, "--strict", env=environment)
    copy_across(photos)
    assert "    test/cat/9.png = train/cat/3.png\n" in edgecnn_here("data", "check", photos, env=environment)
    (finding,) = json.loads(edgecnn_here("data", "check", photos, "--json", env=environment))["findings"]
    assert (finding["kind"], finding["count"]) == ("identical", 1)
    strict = edgecnn_here("data", "check", photos, "--strict", env=environment, code=1)
    assert "expected no finding with --strict, got 1 (identical)" in strict


def test_a_prepared_set_is_checked_as_it_stands(photos, tmp_path):
    environment = {"EDGECNN_HOME": str(tmp_path / "home")}
    copy_across(photos)
    edgecnn_here("data", "prepare", photos, "--imgsz", "32", "--name", "pets", "--quiet", env=environment)
    shutil.rmtree(photos)
    document = json.loads(edgecnn_here("data", "check", "pets", "--json", env=environment))
    assert document["sizes"] == {"32x32": 33}
    assert [finding["kind"] for finding in document["findings"]] == ["identical"]


# Kind, beginning of the text, and how many there are at least: what is known of the real sets.
KNOWN_TRUTHS = {
    "signs": [("near-identical", "test: images that are near-identical to one in train", 12)],
    "casting": [("near-identical", "test: images that are near-identical to one in train", 100)],
    "symbols": [("mode", "images of another mode than RGBA", 8), ("size", "images of another size than 1000x1000", 1)],
}


@pytest.mark.parametrize("name", KNOWN_TRUTHS)
def test_known_truths_of_the_real_sets(name, real_data, monkeypatch):
    needs.data(name)
    monkeypatch.setenv("EDGECNN_DATA", os.fspath(real_data))
    source, _ = KNOWN_SETS[name].open(None)
    findings = {(finding.kind.value, finding.text): finding.cases for finding in check(source).findings}
    for kind, start, least in KNOWN_TRUTHS[name]:
        (cases,) = [cases for (of, text), cases in findings.items() if of == kind and text.startswith(start)]
        assert len(cases) >= least
    if name == "casting":
        turned = Counter("as it is" not in case for case in cases)
        assert turned[True] > turned[False]


def test_many_copies_of_one_image_are_told_once_each(photos):
    for number in range(100, 400):
        shutil.copy(photos / "train/cat/3.png", photos / f"train/cat/{number}.png")
    shutil.copy(photos / "train/cat/3.png", photos / "test/cat/9.png")
    found = [finding for finding in check(read_class_folders(photos)).findings if finding.kind.value == "identical"]
    assert [len(finding.cases) for finding in found] == [1, 300]
    assert found[0].cases == ["test/cat/9.png = train/cat/100.png"]
    assert {case.partition(" = ")[2] for case in found[1].cases} == {"train/cat/100.png"}


def test_sixteen_bit_images_of_which_white_is_not_known_are_told(photos):
    """Read as they are, they are black, and training on them stays at chance."""
    for path in photos.glob("train/dog/*.png"):
        with Image.open(path) as image:
            Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16)).save(path)
    (unreadable,) = [f for f in check(read_class_folders(photos)).findings if f.kind.value == "unreadable"]
    assert len(unreadable.cases) == 12
    assert "expected 16-bit values with white near 65,535, got none above" in unreadable.cases[0]
    shutil.rmtree(photos / "train/cat")
    shutil.rmtree(photos / "test")
    with pytest.raises(DataError, match=r"got none that it reads; the first: dog/.*near 65,535"):
        check(read_class_folders(photos / "train"))
