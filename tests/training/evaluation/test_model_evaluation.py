"""`edgecnn evaluate`: runs and model files on prepared sets and class folders."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import edgecnn, edgecnn_here
from numpy.typing import NDArray
from PIL import Image
from tiny_models import tiny_onnx
from tiny_runs import tiny_run

from edgecnn_benchmarks.measuring.labelled_images import PreparedImages
from edgecnn_benchmarks.process.worker_process import ModelFacts
from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import Interpolation, Resize
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.data.prepared_as import own_input
from edgecnn_training.evaluation.labelled_images import LabelledImages, open_labelled_images
from edgecnn_training.evaluation.model_evaluation import evaluate_model
from edgecnn_training.evaluation.opened_model import OpenedModel, open_model

# Class folders of images that the tiny ONNX model tells apart, but for one.
GREYS = {"dark": (0, 20, 40), "bright": (255, 200, 10)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> RunFolder:
    return tiny_run(tmp_path_factory.mktemp("runs") / "tiny", small_set)


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    for label, greys in GREYS.items():
        (tmp_path / "set" / label).mkdir(parents=True)
        for grey in greys:
            Image.new("L", (10, 10), grey).save(tmp_path / "set" / label / f"{grey}.png")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        (ImageFit(), True),  # nothing is known of how its images were resized
        (ImageFit(resize=Resize.SQUASH, interpolation=Interpolation.BILINEAR), True),
        (ImageFit(interpolation=Interpolation.NEAREST), False),
        (ImageFit(resize=Resize.CROP), False),
        (ImageFit(background=(0, 0, 0)), False),
    ],
)
def test_a_prepared_set_is_not_taken_for_what_the_caller_said(
    small_set: ImageSet, tmp_path: Path, said: ImageFit, fits: bool
) -> None:
    spec = said.applied_to(small_set.input)
    labels = small_set.labels

    def never(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError(pixels.shape)

    model = OpenedModel(Path("m.onnx"), labels, spec, never, None, None, None, third_party=True, fit=said)
    facts = ModelFacts(labels, spec, "float32", "onnxruntime", third_party=True, fit=said)
    prepared = PreparedImages(small_set)
    if fits:
        assert len(open_labelled_images(model, data=str(small_set.folder), split=None, say=pytest.fail).images) == 50
        assert len(prepared.for_model(facts, scratch=tmp_path).classes) == 50
        return
    with pytest.raises(DataError, match=r"expected images prepared as m\.onnx takes them"):
        open_labelled_images(model, data=str(small_set.folder), split=None, say=pytest.fail)
    with pytest.raises(DataError, match=r"input: expected .*, as in the set small, got"):
        prepared.for_model(facts, scratch=tmp_path)


def opened(model: Path, data: Path | str | None = None, split: str | None = None) -> LabelledImages:
    return open_labelled_images(
        open_model(model), data=None if data is None else str(data), split=split, say=pytest.fail
    )


def test_a_model_file_on_class_folders(tmp_path: Path, class_folders: Path) -> None:
    model = open_model(tiny_onnx(tmp_path / "tiny.onnx"))
    labelled = open_labelled_images(model, data=str(class_folders), split=None, say=pytest.fail)
    assert (labelled.data, labelled.split) == ("set", "all")
    result = evaluate_model(model, labelled, output=tmp_path / "out")
    assert (result.evaluation.accuracy.correct, result.evaluation.accuracy.total) == (5, 6)
    assert result.evaluation.confusion.tolist() == [[3, 0], [1, 2]]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == result.document
    with (tmp_path / "out" / "predictions.csv").open() as file:
        wrong = [row for row in csv.DictReader(file) if row["true"] != row["predicted"]]
    assert [Path(row["image"]).name for row in wrong] == ["10.png"]
    assert len(list((tmp_path / "out" / "figures").iterdir())) == 5


@pytest.mark.parametrize("split", [None, "test", "train"])
def test_the_split_of_class_folders(tmp_path: Path, class_folders: Path, split: str | None) -> None:
    root = tmp_path / "levels"
    for level in ("train", "Testing"):
        shutil.copytree(class_folders, root / level)
    (root / "train" / "dark" / "0.png").unlink()
    labelled = opened(tiny_onnx(tmp_path / "tiny.onnx"), root, split)
    assert labelled.split == (split or "test")
    assert len(labelled.images) == (5 if split == "train" else 6)


@pytest.mark.parametrize("kind", ["zip", "CSV"])
def test_a_zip_and_a_csv_are_read_as_the_folder_is(tmp_path: Path, class_folders: Path, kind: str) -> None:
    model = tiny_onnx(tmp_path / "tiny.onnx")
    folder = opened(model, class_folders)
    if kind == "zip":
        data = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", class_folders))
    else:
        data = class_folders / "labels.csv"
        names = [file.relative_to(class_folders) for file in sorted(class_folders.glob("*/*.png"))]
        data.write_text("file,label\n" + "".join(f"{name},{name.parent}\n" for name in names))
    labelled = opened(model, data)
    assert (labelled.split, len(labelled.images)) == ("all", 6)
    assert sorted(zip(labelled.images.files, labelled.images.labels.tolist(), strict=True)) == sorted(
        zip(folder.images.files, folder.images.labels.tolist(), strict=True)
    )


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, class_folders: Path) -> None:
    (class_folders / "dark" / "0.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"dark/0\.png: a test set must be whole"):
        opened(tiny_onnx(tmp_path / "tiny.onnx"), class_folders)


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_run_on_its_own_data(run: RunFolder, small_set: ImageSet, split: str) -> None:
    labelled = opened(run.path, split=split)
    assert (labelled.data, labelled.split) == ("small", split)
    assert len(labelled.images) == len(small_set.split(split))


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than the evaluations here."""
    monkeypatch.setattr("edgecnn_training.figures.draw_evaluation", lambda *arguments, **options: None)


@pytest.mark.usefixtures("without_figures")
def test_keras_answers_batch_by_batch(run: RunFolder, small_set: ImageSet, tmp_path: Path) -> None:
    import keras

    images = small_set.split("train").images[:100]
    numbers = np.zeros(100, np.int64)
    steps: list[int] = []
    result = evaluate_model(
        open_model(run.path),
        LabelledImages("some", "train", Split(images, numbers, ("x",) * 100), ""),
        output=tmp_path,
        report=lambda done, text: steps.append(done),
    )
    expected = keras.saving.load_model(run.model)(np.asarray(images, np.float32)).numpy()
    assert steps == [64, 100]
    assert result.evaluation.confusion[0].tolist() == np.bincount(expected.argmax(axis=1), minlength=10).tolist()
    assert result.evaluation.loss == pytest.approx(-np.log(expected[:, 0]).mean(), rel=1e-4)


@pytest.mark.usefixtures("without_figures")
def test_an_exported_file_knows_its_run(run: RunFolder, small_set: ImageSet) -> None:
    run.export.mkdir(exist_ok=True)
    labels = small_set.labels
    path = tiny_onnx(run.exported("float32", ".onnx"), labels=labels, spec=small_set.input)
    model = open_model(path)
    assert model.run is not None
    labelled = open_labelled_images(model, data=None, split=None, say=pytest.fail)
    result = evaluate_model(model, labelled)
    assert result.folder.resolve() == (run.path / "evaluation" / "tiny_float32.onnx" / "small_test").resolve()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": None}, "name them with --data"),
        ({"data": "nowhere"}, "nowhere: not found; .* a folder or zip with one sub-folder per class"),
        ({"split": "valid"}, "expected a split 'valid', got only train"),
    ],
)
def test_data_that_are_not_there(
    tmp_path: Path, class_folders: Path, arguments: dict[str, str | None], message: str
) -> None:
    model = open_model(tiny_onnx(tmp_path / "tiny.onnx"))
    given: dict[str, str | None] = {"data": str(class_folders), "split": None, **arguments}
    with pytest.raises(DataError, match=message):
        open_labelled_images(model, data=given["data"], split=given["split"], say=pytest.fail)


def test_other_labels(tmp_path: Path, class_folders: Path, run: RunFolder) -> None:
    with pytest.raises(DataError, match=r"expected the labels of .* .*, got bright, dark too"):
        opened(run.path, class_folders)


@pytest.mark.parametrize(
    ("labels", "size", "message"),
    [
        ("1023456789", 28, "expected the labels of .* .*the order counts too"),
        ("0123456789", 20, "expected images prepared as .* takes them .*height=28.*got .*height=20"),
    ],
)
def test_a_set_that_does_not_fit(
    tmp_path: Path, write_set: Callable[..., ImageSet], run: RunFolder, labels: str, size: int, message: str
) -> None:
    images = np.zeros((10, size, size, 1), np.uint8)
    made = write_set(tmp_path / "other", {"train": (images, np.arange(10)), "test": (images, np.arange(10))}, labels)
    with pytest.raises(DataError, match=message):
        opened(run.path, made.folder)


def test_a_known_set_is_read_as_the_model_takes_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a model of one's own images, which have another background than the digits."""
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    spec = own_input((28, 28, 1))
    model = open_model(tiny_onnx(tmp_path / "tiny.onnx", labels=tuple("0123456789"), spec=spec))
    labelled = open_labelled_images(model, data="mnist-5000", split=None, say=str)
    assert (labelled.split, len(labelled.images)) == ("test", 1000)


def test_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a run folder with run\.json, got none"):
        open_model(tmp_path)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"typo\.tflite: not found; expected a run folder or a model file"):
        open_model(tmp_path / "typo.tflite")


def test_a_damaged_model(tmp_path: Path, run: RunFolder) -> None:
    shutil.copytree(run.path, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.keras").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match="expected a whole Keras model"):
        open_model(tmp_path / "damaged")


def test_the_command(tmp_path: Path, class_folders: Path) -> None:
    model = tiny_onnx(tmp_path / "tiny.onnx")
    text = edgecnn_here("evaluate", model, "--data", class_folders, "--output", "out", cwd=tmp_path)
    assert "bright     1.0000  0.6667  0.8000        3" in text
    assert "Accuracy 83.33% (95% interval 43.65% to 96.99%): 5 of 6 images, split all of set" in text
    document = json.loads(edgecnn("evaluate", model, "--data", class_folders, "--json", cwd=tmp_path))
    assert document["weighted_f1"] == pytest.approx((6 / 7 + 0.8) / 2)
    assert Path(document["folder"]) == Path("evaluation/tiny.onnx/set_all")
