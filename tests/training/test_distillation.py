"""A network that learns the answers of a teacher: its loss, its answers, and a run of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import rel_entr
from tiny_base import MNIST, PLAIN, TINY

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.distillation import DistillationLoss, accuracy_metric, targets
from edgecnn_training.features import FeatureCache
from edgecnn_training.networks.network import build_network
from edgecnn_training.settings import ClassWeights
from edgecnn_training.stage import stages_of
from edgecnn_training.stage_data import prepare_stage_data
from edgecnn_training.teacher import fitted_to, open_teacher
from edgecnn_training.train import train


@pytest.fixture(autouse=True, scope="module")
def _without_figures() -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("edgecnn_training.figures.draw_all", lambda *arguments, **options: None)
        yield


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, small_set: ImageSet) -> RunFolder:
    """A teacher that has learnt the digits of the small set."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "teacher")
    train(PLAIN, small_set, folder, PLAIN.settings)
    return folder


def softened(probabilities: NDArray[Any], temperature: float) -> NDArray[Any]:
    raised = probabilities.astype(np.float64) ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(("temperature", "weight"), [(1.0, 1.0), (3.0, 0.3), (20.0, 0.9)])
def test_the_loss_is_that_of_the_paper(temperature: float, weight: float) -> None:
    random = np.random.default_rng(0)
    student, teacher = (random.dirichlet(np.ones(4), 9).astype(np.float32) for _ in range(2))
    numbers = random.integers(0, 4, 9)
    cross_entropy = -np.log(student[np.arange(9), numbers])
    divergence = rel_entr(softened(teacher, temperature), softened(student, temperature)).sum(axis=1)
    expected = (1 - weight) * cross_entropy + weight * temperature**2 * divergence
    # The teacher's answers come beside the labels, or beside the student's.
    for beside, y_true, y_pred in (
        (False, targets(numbers, teacher), student),
        (True, numbers, np.concatenate([student, teacher], axis=1)),
    ):
        loss = DistillationLoss(temperature=temperature, weight=weight, beside=beside)
        assert float(loss(y_true, y_pred)) == pytest.approx(expected.mean(), rel=1e-4)
        # Each image by the weight of its class.
        weights = np.arange(9) / 4
        weighted = float(loss(y_true, y_pred, sample_weight=weights))
        assert weighted == pytest.approx((expected * weights).mean(), rel=1e-4)
        metric = accuracy_metric(beside=beside)
        metric.update_state(y_true, y_pred)
        assert float(metric.result()) == pytest.approx(np.mean(student.argmax(axis=1) == numbers))
        # In validation there is no teacher.
        without = (numbers, np.concatenate([student, 0 * teacher], axis=1) if beside else student)
        assert float(loss(*without)) == pytest.approx(cross_entropy.mean(), rel=1e-5)


def test_certain_answers_have_a_finite_loss() -> None:
    certain = np.eye(3, dtype=np.float32)
    loss = DistillationLoss(temperature=4.0, weight=0.5, beside=False)
    assert np.isfinite(np.asarray(loss.call(targets(np.array([1, 1, 1]), certain), certain[::-1]))).all()


def test_keras_finds_the_class_in_the_targets() -> None:
    """Whatever the teacher says, and however sure it is: the weight of an image is that of its label's class."""
    from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

    answers = np.eye(3, dtype=np.float32)[[2, 0, 1]]
    weights = class_weight_to_sample_weights(targets(np.array([0, 1, 2]), answers), {0: 5.0, 1: 6.0, 2: 7.0})
    assert np.asarray(weights).tolist() == [5, 6, 7]


def read(batches: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    return batches.read(0, len(batches))  # type: ignore[no-any-return]


def test_training_images_have_the_answers_of_the_teacher(taught: RunFolder, small_set: ImageSet) -> None:
    teacher = open_teacher(taught.path, small_set, augment=False)
    assert teacher.warnings == ()
    network = build_network(keras, MNIST, 10)
    settings = dataclasses.replace(PLAIN.settings, class_weights=ClassWeights.BALANCED)
    divided = settings.division_of(small_set).divide(small_set)
    stage = stages_of(settings)[0]
    made = prepare_stage_data(network, MNIST, settings, stage, *divided, features=FeatureCache(), teacher=teacher)
    images, learnt = read(made.training)
    expected = np.asarray(keras.models.load_model(taught.model, compile=False)(images))
    np.testing.assert_allclose(learnt[:, 10:], expected, atol=1e-5)
    # The labels beside them are those of the images; the validation images have nothing but labels.
    assert (learnt[:, :10].argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.8
    assert read(made.validation)[1].shape == (20,)


def test_with_augmentation_the_teacher_sees_the_changed_images(taught: RunFolder, small_set: ImageSet) -> None:
    teacher = open_teacher(taught.path, small_set, augment=True)
    network = build_network(keras, MNIST, 10)
    pixels = np.asarray(small_set.split("train").images[:8], np.float32)
    beside = teacher.beside(network)
    expected = np.asarray(keras.models.load_model(taught.model, compile=False)(pixels))
    np.testing.assert_allclose(np.asarray(beside(pixels, training=True))[:, 10:], expected, atol=1e-5)
    assert not np.asarray(beside(pixels, training=False))[:, 10:].any()
    # It is none of what is trained, checkpointed or saved.
    assert {id(each) for each in beside.trainable_variables} == {id(each) for each in network.trainable_variables}
    assert len(beside.variables) == len(network.variables)


def test_labels_in_another_order_are_mapped(
    taught: RunFolder, small_set: ImageSet, write_set: Callable[..., ImageSet], tmp_path: Path
) -> None:
    splits = {name: (split.images, 9 - split.labels) for name, split in small_set.splits.items()}
    turned = write_set(tmp_path / "set", splits, labels="9876543210")
    teacher = open_teacher(taught.path, turned, augment=False)
    (doubt,) = teacher.warnings
    assert "cannot be told whether it has learnt from the test images" in doubt
    training, _ = PLAIN.settings.division_of(turned).divide(turned)
    answers = teacher.answers(training, batch_size=64)
    assert (answers[training.positions].argmax(axis=1) == training.labels).mean() > 0.8
    left_out = np.setdiff1d(np.arange(200), training.positions)
    assert not answers[left_out].any()


def test_a_teacher_that_has_seen_all_images_is_doubted(taught: RunFolder, small_set: ImageSet, tmp_path: Path) -> None:
    """As folds leave it behind, where the set has no test images of its own."""
    import json
    import shutil

    shutil.copytree(taught.path, tmp_path / "teacher")
    record = json.loads(taught.record.read_text())
    record["division"] = {"method": "none", "joined": ["train", "test"]}
    RunFolder(tmp_path / "teacher").record.write_text(json.dumps(record))
    (doubt,) = open_teacher(tmp_path / "teacher", small_set, augment=False).warnings
    assert "those of the split test too, so the test score flatters; train it with --folds 0" in doubt


def test_a_teacher_and_folds_exclude_one_another(taught: RunFolder, small_set: ImageSet, tmp_path: Path) -> None:
    settings = dataclasses.replace(PLAIN.settings, folds=5, teacher=str(taught.path))
    with pytest.raises(InputError, match=r"folds: expected none with a teacher, .* got 5; leave --folds out"):
        train(PLAIN, small_set, RunFolder(tmp_path / "run"), settings)


def test_a_teacher_of_other_classes_is_refused(
    taught: RunFolder, small_set: ImageSet, write_set: Callable[..., ImageSet], tmp_path: Path
) -> None:
    splits = {name: (split.images, split.labels) for name, split in small_set.splits.items()}
    letters = write_set(tmp_path / "set", splits, labels="abcdefghij")
    with pytest.raises(InputError, match=r"teacher: expected one that knows the classes of small \(a, b.*got .*\(0, 1"):
        open_teacher(taught.path, letters, augment=False)
    with pytest.raises(InputError, match="nowhere: not found"):
        open_teacher(tmp_path / "nowhere", small_set, augment=False)


def test_a_teacher_reads_the_same_images_in_its_own_size(
    taught: RunFolder, small_set: ImageSet, write_set: Callable[..., ImageSet], tmp_path: Path
) -> None:
    """It was trained on 28x28 grey, the student is on 14x14 RGB of the same source."""
    halved = {
        name: (np.repeat(split.images[:, ::2, ::2], 3, axis=-1), split.labels)
        for name, split in small_set.splits.items()
    }
    small = write_set(tmp_path / "set", halved)
    teacher = open_teacher(taught.path, small, augment=False)
    assert teacher.warnings == ()
    training, _ = PLAIN.settings.division_of(small).divide(small)
    own, _ = PLAIN.settings.division_of(small_set).divide(small_set)
    same = open_teacher(taught.path, small_set, augment=False).answers(own, batch_size=64)
    np.testing.assert_allclose(teacher.answers(training, batch_size=7), same, atol=1e-5)
    # Changed images are there in the student's size only, and neither are those of another source.
    (doubt,) = open_teacher(taught.path, small, augment=True).warnings
    assert "sees the images of (14, 14, 3) scaled to (28, 28, 1)" in doubt
    elsewhere = dataclasses.replace(small, source="elsewhere")
    scaled = open_teacher(taught.path, elsewhere, augment=False)
    assert len(scaled.warnings) == 2
    assert (scaled.answers(training, batch_size=64)[training.positions].argmax(axis=1) == training.labels).mean() > 0.4


def test_images_are_fitted_to_a_teacher() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), np.uint8)
    grey = np.asarray(fitted_to((8, 6, 1), colours))
    np.testing.assert_allclose(grey[..., 0], colours @ np.array([0.299, 0.587, 0.114]), atol=1e-3)
    assert np.asarray(fitted_to((16, 16, 3), grey)).shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(np.asarray(fitted_to((8, 6, 3), colours)), colours)


@pytest.mark.parametrize("augment", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_run_with_a_teacher_goes_on_to_the_bit(
    augment: bool, taught: RunFolder, small_set: ImageSet, tmp_path: Path
) -> None:
    settings = dataclasses.replace(
        TINY.settings, teacher=str(taught.path), teacher_weight=0.9, augment=augment, deterministic=True
    )
    whole = RunFolder(tmp_path / "whole")
    record = train(TINY, small_set, whole, settings)
    assert record is not None
    assert record.recipe["teacher"] == str(taught.path.resolve())
    assert len(record.recipe["teacher_fingerprint"]) == 64

    stopped = RunFolder(tmp_path / "stopped")

    def stop(progress: Any) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TINY, small_set, stopped, settings, report=stop)
    train(TINY, small_set, stopped, settings, resume=True)
    for expected, got in zip(
        keras.models.load_model(whole.model).get_weights(),
        keras.models.load_model(stopped.model).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.load(stopped.test_probabilities), np.load(whole.test_probabilities))


def test_the_answers_are_learnt(taught: RunFolder, small_set: ImageSet, tmp_path: Path) -> None:
    """By its answers alone, a network comes closer to its teacher than by the labels."""
    test = np.load(taught.test_probabilities)
    distances = []
    for name, teacher in (("alone", None), ("taught", str(taught.path))):
        settings = dataclasses.replace(PLAIN.settings, seed=5, teacher=teacher, teacher_weight=1.0)
        train(PLAIN, small_set, folder := RunFolder(tmp_path / name), settings)
        distances.append(np.abs(np.load(folder.test_probabilities) - test).mean())
    assert distances[1] < distances[0]


def test_a_teacher_that_was_trained_anew_does_not_teach_the_rest(
    taught: RunFolder, small_set: ImageSet, tmp_path: Path
) -> None:
    import shutil

    copy = RunFolder(tmp_path / "teacher")
    shutil.copytree(taught.path, copy.path)
    settings = dataclasses.replace(TINY.settings, teacher=str(copy.path))
    folder = RunFolder(tmp_path / "run")
    train(TINY, small_set, folder, settings)
    train(dataclasses.replace(PLAIN, name="plain"), small_set, copy, PLAIN.settings.overridden(seed=8), overwrite=True)
    with pytest.raises(InputError, match=r"teacher .* trained anew instead of"):
        train(TINY, small_set, folder, settings, resume=True)
