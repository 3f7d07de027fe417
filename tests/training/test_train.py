"""A whole training on a few real digits, in this process."""

import csv
import dataclasses
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgecnn_runtime.errors import DataError, GateError, InputError
from edgecnn_runtime.json_dataclasses import read_dataclass
from edgecnn_runtime.workstation.division import Division, DivisionMethod
from edgecnn_runtime.workstation.image_set import ImageSet, open_prepared
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.features import FeatureCache
from edgecnn_training.fit import Progress
from edgecnn_training.networks.network import build_network
from edgecnn_training.recipes import get_recipe
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.stage import stages_of
from edgecnn_training.stage_data import prepare_stage_data
from edgecnn_training.train import train

MNIST = get_recipe("mnist")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A finished run, and what was reported while it ran."""

    folder: RunFolder
    settings: TrainingSettings
    reports: tuple[Progress, ...]


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw those of `trained` only, which is made before."""
    monkeypatch.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> Trained:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "digits")
    settings = MNIST.settings.overridden(epochs=2, batch_size=32, optimizer="adam", learning_rate=0.003, seed=3)
    reports: list[Progress] = []
    train(MNIST, small_set, folder, settings, command="edgecnn train mnist", report=reports.append)
    return Trained(folder, settings, tuple(reports))


def test_a_run_leaves_these_files_and_no_others(trained: Trained) -> None:
    assert sorted(path.name for path in trained.folder.path.iterdir()) == [
        "best.weights.h5",
        "classification_report.txt",
        "figures",
        "history.csv",
        "metrics.json",
        "model.keras",
        "network.txt",
        "predictions",
        "run.json",
        "test.probabilities.npy",
    ]


def test_the_record_repeats_the_run(trained: Trained, small_set: ImageSet) -> None:
    record = trained.folder.read_record()
    assert record.name == "digits"
    assert read_dataclass(TrainingSettings, record.recipe, name="recipe") == dataclasses.replace(
        trained.settings, threads=record.recipe["threads"]
    )
    assert (record.recipe["name"], record.seed, record.command) == ("mnist", 3, "edgecnn train mnist")
    assert (record.labels, record.input, record.licence) == (small_set.labels, small_set.input, small_set.licence)
    assert record.data_fingerprint == small_set.fingerprint
    assert open_prepared(Path(record.data_folder)).fingerprint == small_set.fingerprint
    assert {"edgecnn", "python", "keras", "tensorflow", "numpy"} <= set(record.versions)
    assert {"to_first_step", "epochs", "evaluation", "figures", "total"} <= set(record.timings)


def test_the_saved_model_gives_the_saved_probabilities_and_scores(trained: Trained, small_set: ImageSet) -> None:
    test = small_set.split("test")
    model = keras.models.load_model(trained.folder.model, safe_mode=True)
    probabilities = np.load(trained.folder.test_probabilities, allow_pickle=False)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (50, 10))
    np.testing.assert_allclose(np.asarray(model(np.asarray(test.images))), probabilities, atol=1e-5)

    metrics = json.loads(trained.folder.metrics.read_text())
    assert metrics["split"] == "test"
    assert metrics["accuracy"]["correct"] == int((probabilities.argmax(axis=1) == test.labels).sum())
    assert metrics["accuracy"]["total"] == 50
    assert "weighted avg" in trained.folder.classification_report.read_text()
    # Two epochs on 180 digits are far better than chance, or something is mixed up on the way.
    assert metrics["accuracy"]["value"] > 0.4


def test_each_validation_and_test_image_has_its_prediction(trained: Trained, small_set: ImageSet) -> None:
    assert sorted(path.name for path in trained.folder.predictions.iterdir()) == ["test.csv", "validation.csv"]
    _, validation = trained.settings.division_of(small_set).divide(small_set)
    rows = {name: predictions_of(trained.folder, name) for name in ("test", "validation")}
    assert [row["image"] for row in rows["test"]] == list(small_set.split("test").files)
    assert [row["image"] for row in rows["validation"]] == validation.files
    probabilities = np.load(trained.folder.test_probabilities)
    assert [row["predicted"] for row in rows["test"]] == [small_set.labels[n] for n in probabilities.argmax(axis=1)]
    metrics = json.loads(trained.folder.metrics.read_text())
    assert sum(row["true"] == row["predicted"] for row in rows["test"]) == metrics["accuracy"]["correct"]
    # The weights are those of the best epoch, whose validation accuracy Keras has computed.
    right = sum(row["true"] == row["predicted"] for row in rows["validation"])
    assert right / len(validation) == pytest.approx(metrics["best_val_accuracy"], abs=1e-6)


def predictions_of(folder: RunFolder, name: str) -> list[dict[str, str]]:
    with (folder.predictions / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_last_epoch_has_its_own_score(trained: Trained) -> None:
    metrics = json.loads(trained.folder.metrics.read_text())
    last = [report.finished for report in trained.reports if report.finished is not None][-1]
    assert (metrics["last_epoch"], metrics["last_val_accuracy"]) == (2, last.val_accuracy)


def test_the_model_holds_the_best_weights(trained: Trained) -> None:
    model = keras.models.load_model(trained.folder.model, safe_mode=True)
    saved = model.get_weights()
    model.load_weights(trained.folder.best_weights)
    for expected, got in zip(saved, model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_steps_and_epochs_are_reported(trained: Trained) -> None:
    steps = [(report.epoch, report.step) for report in trained.reports if report.finished is None]
    # 180 images in batches of 32.
    assert steps == [(epoch, step) for epoch in (1, 2) for step in range(1, 7)]
    assert {(report.epochs, report.steps) for report in trained.reports} == {(2, 6)}
    finished = [report.finished for report in trained.reports if report.finished is not None]
    with trained.folder.history.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == [dataclasses.asdict(epoch) for epoch in finished]


def test_validation_images_are_stratified_and_not_trained_on(small_set: ImageSet) -> None:
    training, validation = MNIST.settings.division_of(small_set).divide(small_set)
    batches = prepare_stage_data(
        build_network(keras, MNIST, 10),
        MNIST,
        MNIST.settings,
        stages_of(MNIST.settings)[0],
        training,
        validation,
        features=FeatureCache(),
    )
    assert batches.validation is not None
    for expected, got in ((training, batches.training), (validation, batches.validation)):
        images = np.concatenate([got[index][0] for index in range(len(got))])
        assert sorted(map(bytes, images)) == sorted(map(bytes, expected.split.images[expected.positions]))


def test_the_record_says_how_the_images_were_divided(trained: Trained, small_set: ImageSet) -> None:
    record = trained.folder.read_record()
    assert record.division == Division(method=DivisionMethod.STRATIFIED, fraction=0.1, seed=3)
    # A record of an earlier version says it in its recipe only.
    earlier = json.loads(trained.folder.record.read_text())
    del earlier["division"]
    (old := RunFolder(trained.folder.path.parent / "earlier")).path.mkdir()
    old.record.write_text(json.dumps(earlier))
    assert old.read_record().division is None
    assert old.read_record().division_of(small_set) == record.division


def test_a_finished_run_is_returned_as_it_is(trained: Trained, small_set: ImageSet) -> None:
    before = trained.folder.model.stat().st_mtime_ns
    record = train(MNIST, small_set, trained.folder, trained.settings, resume=True)
    assert record == trained.folder.read_record()
    with pytest.raises(InputError, match="got a finished run"):
        train(MNIST, small_set, trained.folder, trained.settings)
    with pytest.raises(InputError, match="epochs 3 instead of 2"):
        train(MNIST, small_set, trained.folder, trained.settings.overridden(epochs=3), resume=True)
    assert trained.folder.model.stat().st_mtime_ns == before


class DiskFullAfter:
    """Stands for `numpy.savez` on a disk that is full after some checkpoints."""

    def __init__(self, checkpoints: int) -> None:
        self.left, self.savez = checkpoints, np.savez

    def __call__(self, file: Any, **arrays: Any) -> None:
        if self.left == 0:
            Path(file).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        self.left -= 1
        self.savez(file, **arrays)


def test_what_was_trained_before_the_disk_was_full_is_kept(
    tmp_path: Path, small_set: ImageSet, quick: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", DiskFullAfter(checkpoints=1))
        with pytest.raises(OSError, match="No space left"):
            train(MNIST, small_set, folder, quick)
    assert [path.name for path in folder.checkpoints.iterdir()] == ["last.npz"]
    assert not folder.record.exists()

    epochs: list[int] = []
    train(MNIST, small_set, folder, quick, resume=True, report=lambda progress: epochs.append(progress.epoch))
    assert set(epochs) == {2}
    assert len(folder.history.read_text().splitlines()) == 3


def test_weights_that_the_disk_has_no_room_for_are_not_begun(
    tmp_path: Path, small_set: ImageSet, quick: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5, which finds no room while it writes, crashes the process at its end."""

    def no_room(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", no_room, raising=False)
        with pytest.raises(OSError, match=r"No space left on device: '.*best\.weights\.h5'"):
            train(MNIST, small_set, folder, quick)
    assert not list(folder.path.glob("*.h5"))
    train(MNIST, small_set, folder, quick, resume=True)
    assert folder.record.exists()


def test_a_run_stopped_after_its_epochs_is_only_evaluated(
    tmp_path: Path, small_set: ImageSet, quick: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, once = RunFolder(tmp_path / "run"), quick.overridden(epochs=1)
    with monkeypatch.context() as patched:
        patched.setattr("edgecnn_training.train.evaluate", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(MNIST, small_set, folder, once)
    # As if it had been killed between the checkpoint and the weights beside it.
    folder.best_weights.unlink()
    folder.history.unlink()
    reports: list[Progress] = []
    train(MNIST, small_set, folder, once, resume=True, report=reports.append)
    assert reports == []
    assert folder.best_weights.exists()
    assert len(folder.history.read_text().splitlines()) == 2


def _interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_a_training_that_diverges_says_so(tmp_path: Path, small_set: ImageSet, quick: TrainingSettings) -> None:
    wild = quick.overridden(optimizer="sgd", learning_rate=1e38)
    with pytest.raises(GateError, match=r"loss: expected a finite number, got .* lower --learning-rate"):
        train(MNIST, small_set, RunFolder(tmp_path / "run"), wild)


def cropped(write_set: Callable[..., ImageSet], small_set: ImageSet, folder: Path) -> ImageSet:
    return write_set(folder, {name: (split.images[:, :20], split.labels) for name, split in small_set.splits.items()})


def without_test(write_set: Callable[..., ImageSet], small_set: ImageSet, folder: Path) -> ImageSet:
    train_split = small_set.split("train")
    return write_set(folder, {"train": (train_split.images, train_split.labels)})


def of_few_images(write_set: Callable[..., ImageSet], small_set: ImageSet, folder: Path) -> ImageSet:
    return write_set(folder, {name: (split.images[:4], split.labels[:4]) for name, split in small_set.splits.items()})


def of_one_class(write_set: Callable[..., ImageSet], small_set: ImageSet, folder: Path) -> ImageSet:
    splits = {name: (split.images, split.labels * 0) for name, split in small_set.splits.items()}
    return write_set(folder, splits, labels="0")


def in_memory(write_set: Callable[..., ImageSet], small_set: ImageSet, folder: Path) -> ImageSet:
    return dataclasses.replace(small_set, folder=None)


@pytest.mark.parametrize(
    ("made", "error", "message"),
    [
        (cropped, InputError, r"expected images of the recipe.s shape .* \(28, 28, 1\), got \(20, 28, 1\)"),
        (without_test, DataError, "expected a split 'test'"),
        (of_few_images, DataError, "expected enough images to keep 10% for validation, got 4"),
        (of_one_class, DataError, "expected at least two classes, got 1"),
        (in_memory, InputError, "expected a prepared set on disk"),
    ],
)
def test_data_that_do_not_fit(
    made: Callable[..., ImageSet],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    small_set: ImageSet,
    write_set: Callable[..., ImageSet],
    quick: TrainingSettings,
) -> None:
    with pytest.raises(error, match=message):
        train(MNIST, made(write_set, small_set, tmp_path / "set"), RunFolder(tmp_path / "run"), quick)
    assert not (tmp_path / "run").exists()
