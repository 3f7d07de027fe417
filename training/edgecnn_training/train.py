"""A whole training run: data -> network -> epochs -> evaluation -> figures -> record."""

import dataclasses
import platform
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.system.atomic_files import atomic_write, write_json, write_text
from edgecnn_runtime.version import __version__
from edgecnn_runtime.workstation.division import Division, Portion
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord
from edgecnn_training.data.readers.split_names import TEST, TRAIN
from edgecnn_training.devices.devices import Devices, prepare_devices
from edgecnn_training.devices.many_workers import folder_of_worker
from edgecnn_training.evaluation.predictions import write_predictions
from edgecnn_training.evaluation.scores import evaluate
from edgecnn_training.evaluation.temperature import fit_temperature, temper, tempered
from edgecnn_training.features import FeatureCache, FeatureReport
from edgecnn_training.fit import Progress, ReportProgress
from edgecnn_training.folds import OutOfFold, with_folds
from edgecnn_training.history import Epoch, best_epoch
from edgecnn_training.network_training import NetworkTraining, answers
from edgecnn_training.networks.network import build_network
from edgecnn_training.networks.network_layers import network_summary
from edgecnn_training.packages import check_packages
from edgecnn_training.recipe import Recipe
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.resuming.resume import claim
from edgecnn_training.settings import NO_WEIGHTS, TrainingSettings
from edgecnn_training.stage import stages_of
from edgecnn_training.stopwatch import Stopwatch
from edgecnn_training.teacher import open_teacher
from edgecnn_training.tensorboard import check_event_writer, event_writer

# The scores of all images by the networks of the folds, in `metrics.json`.
OUT_OF_FOLD = "out_of_fold"


def train(
    recipe: Recipe,
    image_set: ImageSet,
    folder: RunFolder,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tensorboard: bool = False,
    command: str | None = None,
    watch: Stopwatch | None = None,
    report: ReportProgress | None = None,
    report_features: FeatureReport | None = None,
    out_of_fold: OutOfFold | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> RunRecord | None:
    """Train a recipe and leave a run folder behind.

    The validation images are those of the split `valid` or, without one, taken from the training split, stratified;
    the test split is read once, at the end, with the weights of the best epoch on the validation images. A run that
    was stopped, at any point, goes on with `resume` after its last finished epoch; a finished run is then returned
    as it is.

    Where TF_CONFIG names several workers, each makes this call; all train, and the first leaves the run folder behind.

    Args:
        recipe: what to train.
        image_set: a prepared set on disk, with the splits `train` and `test`, of the recipe's input shape.
        folder: where the run goes.
        settings: how to train; `recipe.settings` holds the defaults.
        resume: go on with the run in `folder`, if there is one.
        overwrite: delete the run in `folder`, and what was exported and measured from it, if there is one.
        tensorboard: write event files for TensorBoard while it runs; a resumed run that has some goes on with them.
        command: the command line, for the record.
        watch: started when the command was, for the time to the first step.
        report: called after each step and each epoch.
        report_features: called while the images go through a frozen base or a teacher, before the first epoch.
        out_of_fold: of the folds, where they were trained before.
        warn: told, in a sentence, what is doubtful about a teacher.

    Returns:
        The record, as in `run.json`; None on a worker that is not the first.

    Raises:
        InputError: the data do not fit the recipe, `folder` holds a run that this call may not touch, or the device
            or TF_CONFIG is not as it must be.
        MissingExtraError: a package is missing.
        GateError: the training diverged, or another worker is gone.
        OSError: a file cannot be written; a checkpoint that was written stays.
    """
    check_packages()
    watch = watch or Stopwatch()
    _check_data(recipe, image_set)
    _check_settings(recipe, settings)
    tensorboard = tensorboard or (resume and folder.tensorboard.exists())
    if tensorboard:
        check_event_writer()
    devices = prepare_devices(device=settings.device, threads=settings.threads, deterministic=settings.deterministic)
    _check_devices(devices, recipe, settings)
    settings = dataclasses.replace(settings, threads=devices.threads, augmentation=recipe.changes(settings))
    settings = with_folds(settings, image_set, shares=devices.shares)
    teacher = None
    if settings.teacher is not None:
        path = Path(settings.teacher).resolve()
        settings = dataclasses.replace(settings, teacher=str(path))
        with devices.scope():
            teacher = open_teacher(path, image_set, augment=settings.augment, report=report_features)
        for doubt in teacher.warnings:
            warn(doubt)
    origin = RunOrigin(
        recipe.name,
        str(image_set.folder),
        image_set.fingerprint,
        settings,
        teacher_fingerprint=teacher.fingerprint if teacher else None,
    )
    if folder.record.exists() and not overwrite:
        claim(folder, origin, resume=resume, overwrite=False)
        return folder.read_record()

    training = NetworkTraining(recipe, image_set, origin, devices, watch, FeatureCache(report_features), teacher)
    network = training.network()
    division = settings.division_of(image_set)
    trained_on, validation = division.divide(image_set)
    # Only now, when nothing can be missing any more, an earlier run may go.
    checkpoint = claim(folder, origin, resume=resume, overwrite=overwrite, is_chief=devices.cluster.is_chief)
    first_step = _first_step_noted(watch)
    reports = [first_step, *([report] if report is not None else ())]
    if settings.folds and out_of_fold is None:
        out_of_fold = training.out_of_fold(trained_on, folder=folder, report=_reported_to_all(reports))
    if tensorboard and devices.cluster.is_chief:
        reports.append(event_writer(folder.tensorboard, network, checkpoint.history if checkpoint else ()))
    with folder_of_worker(folder, devices, origin, checkpoint) as written:
        history = training.fit(
            network,
            trained_on,
            None if out_of_fold else validation,
            folder=written,
            checkpoint=checkpoint,
            report=_reported_to_all(reports),
            scores=out_of_fold.history if out_of_fold else (),
        )
    if not devices.cluster.is_chief:
        return None
    _finish(recipe, image_set, folder, history, settings, out_of_fold, division, watch)

    record = RunRecord(
        name=folder.name,
        recipe=_resolved(recipe, settings) | ({"teacher_fingerprint": teacher.fingerprint} if teacher else {}),
        labels=image_set.labels,
        input=image_set.input,
        data_name=image_set.name,
        data_folder=str(image_set.folder),
        data_fingerprint=image_set.fingerprint,
        seed=settings.seed,
        licence=image_set.licence,
        command=command,
        versions=_versions(devices),
        timings=_timings(watch, history),
        division=division,
    )
    folder.write_record(record)
    shutil.rmtree(folder.checkpoints)
    return record


def _finish(
    recipe: Recipe,
    image_set: ImageSet,
    folder: RunFolder,
    history: tuple[Epoch, ...],
    settings: TrainingSettings,
    out_of_fold: OutOfFold | None,
    division: Division,
    watch: Stopwatch,
) -> None:
    """Score the kept weights on the test split, or by the folds where they have seen it; draw, and save the model."""
    # They load as long as a small training takes to begin, so they wait until here.
    from edgecnn_training import figures

    test, best = image_set.split(TEST), best_epoch(history, settings.monitor)
    # A fresh network: the one that was fitted carries its optimizer, three times the size of the weights.
    model = build_network(keras, recipe, len(image_set.labels), shape=image_set.input.shape)
    model.load_weights(folder.best_weights)
    with watch.timing("evaluation"):
        temperature = 1.0
        if settings.temperature_scaling:
            temperature, out_of_fold = _temper(model, image_set, division, out_of_fold)
        probabilities = answers(model, Portion.whole(test))
        evaluation = evaluate(probabilities, test.labels, image_set.labels, copies=image_set.copies.get(TEST, ()))
        of_folds = out_of_fold and evaluate(out_of_fold.probabilities, out_of_fold.images.labels, image_set.labels)
    with atomic_write(folder.test_probabilities) as partial:
        np.save(partial, probabilities, allow_pickle=False)
    _write_predictions(folder, model, image_set, division, probabilities, out_of_fold)
    split, images = TEST, test
    if out_of_fold and of_folds and division.trains_on_test:
        split, images = OUT_OF_FOLD, out_of_fold.images
        evaluation, probabilities, of_folds = of_folds, out_of_fold.probabilities, None
    # Of the last epoch no score on test: that would be a second look, and who takes the better one chooses by it.
    last = {"last_epoch": history[-1].epoch, "last_val_accuracy": history[-1].val_accuracy}
    scores = {"split": split, "best_epoch": best.epoch, "best_val_accuracy": best.val_accuracy, **last}
    if temperature != 1:
        scores["temperature"] = temperature
    more = {OUT_OF_FOLD: of_folds.document()} if of_folds else {}
    write_json(folder.metrics, {**scores, **evaluation.document(), **more})
    write_text(folder.classification_report, evaluation.report)
    with atomic_write(folder.model) as partial:
        model.save(partial)
    write_text(folder.network_summary, network_summary(model))
    # Last: a figure that cannot be drawn must not cost the model.
    with watch.timing("figures"):
        figures.draw_all(
            folder, history, best, evaluation, images, probabilities, image_set.labels, model=model, split=split
        )


def _temper(
    model: Any, image_set: ImageSet, division: Division, out_of_fold: OutOfFold | None
) -> tuple[float, OutOfFold | None]:
    """Scale a model's certainty by the images that were kept back; return the temperature, and the folds at it."""
    if out_of_fold is None:
        _, validation = division.divide(image_set)
        temperature = fit_temperature(answers(model, validation), validation.labels)
    else:
        temperature = fit_temperature(out_of_fold.probabilities, out_of_fold.images.labels)
        scaled = tempered(out_of_fold.probabilities, temperature)
        out_of_fold = dataclasses.replace(out_of_fold, probabilities=scaled)
    temper(model, temperature)
    return temperature, out_of_fold


def _write_predictions(
    folder: RunFolder,
    model: Any,
    image_set: ImageSet,
    division: Division,
    of_test: NDArray[np.float32],
    out_of_fold: OutOfFold | None,
) -> None:
    """Write what each image was taken for by a network that was not trained on it."""
    labels = image_set.labels
    if not division.trains_on_test:
        write_predictions(folder.predictions / "test.csv", Portion.whole(image_set.split(TEST)), of_test, labels)
    if out_of_fold is not None:
        images = Portion.whole(out_of_fold.images)
        write_predictions(folder.predictions / "out_of_fold.csv", images, out_of_fold.probabilities, labels)
    else:
        _, validation = division.divide(image_set)
        write_predictions(folder.predictions / "validation.csv", validation, answers(model, validation), labels)


def _resolved(recipe: Recipe, settings: TrainingSettings) -> dict[str, Any]:
    """Return the recipe as `run.json` holds it: every value that was used."""
    used = {"name": recipe.name, "data": recipe.data, "base": recipe.base, "scaling": recipe.scaling}
    return {**used, **dataclasses.asdict(settings)}


def _check_settings(recipe: Recipe, settings: TrainingSettings) -> None:
    """Refuse settings that the recipe can make nothing of, or that exclude one another."""
    for stage in stages_of(settings):
        if settings.warmup_epochs >= stage.epochs:
            raise InputError(
                f"warmup epochs: expected fewer than the {stage.epochs} epochs of stage {stage.number}, "
                f"got {settings.warmup_epochs}; give fewer, or more {stage.epochs_option}"
            )
    if _softens_labels(recipe, settings) and keras.backend.backend() == "jax":
        raise InputError(
            "label smoothing, mixup and cutmix: expected the Keras backend tensorflow or torch, got jax; "
            "set KERAS_BACKEND=tensorflow or leave them out"
        )
    if settings.weights != NO_WEIGHTS and recipe.base is None:
        raise InputError(f"weights: expected a recipe on a pretrained base, got {recipe.name}; leave --weights out")
    if settings.teacher is not None and settings.folds:
        raise InputError(
            f"folds: expected none with a teacher, which has learnt from the images that a fold keeps back, got "
            f"{settings.folds}; leave --folds out"
        )
    if settings.teacher is not None and _softens_labels(recipe, settings):
        raise InputError(
            "teacher: expected none beside label smoothing, mixup and cutmix, as it softens the labels itself; "
            "leave the one or the others out"
        )
    if settings.unfreeze and recipe.base is None:
        raise InputError(f"unfreeze: expected a recipe on a pretrained base, got {recipe.name}; leave --unfreeze out")


def _softens_labels(recipe: Recipe, settings: TrainingSettings) -> bool:
    changes = recipe.changes(settings)
    return bool(settings.label_smoothing or (changes and changes.mixes_images))


def _check_devices(devices: Devices, recipe: Recipe, settings: TrainingSettings) -> None:
    """Refuse settings that these devices can make nothing of."""
    if settings.batch_size % devices.shares:
        raise InputError(
            f"batch size: expected a multiple of {devices.shares}, as it is divided among {devices}, "
            f"got {settings.batch_size}; give another --batch-size, or fewer devices with --device"
        )
    changes = recipe.changes(settings)
    if changes is not None and changes.mixes_images and settings.batch_size // devices.shares < 2:
        raise InputError(
            f"augmentation: expected batches of at least 2 images per device, as mixup and cutmix take two, "
            f"got {settings.batch_size // devices.shares}; give a larger --batch-size, or leave the two out"
        )
    if settings.label_smoothing and devices.cluster.workers > 1:
        raise InputError(
            "label smoothing: expected one machine, as several workers train in another Keras, "
            f"got {devices.cluster.workers} workers; leave --label-smoothing out, or unset TF_CONFIG"
        )
    if settings.teacher is not None and devices.cluster.workers > 1:
        raise InputError(
            f"teacher: expected one machine, got {devices.cluster.workers} workers; leave --teacher out, or unset "
            "TF_CONFIG"
        )
    if settings.augment and devices.cluster.workers > 1:
        raise InputError(
            "augment: expected one machine, as the augmentation of several workers would be that of another Keras, "
            f"got {devices.cluster.workers} workers; leave --augment out, or unset TF_CONFIG"
        )


def _check_data(recipe: Recipe, image_set: ImageSet) -> None:
    """Check of the data all that can be checked before training."""
    if image_set.folder is None:
        raise InputError(
            f"{image_set.name}: expected a prepared set on disk, got one in memory; "
            "export and bench read it again: prepare it with 'edgecnn data prepare'"
        )
    shape = image_set.input.shape
    if shape != recipe.input_shape and not recipe.any_size:
        raise InputError(
            f"{image_set.name}: expected images of the recipe's shape (height, width, channels) {recipe.input_shape}, "
            f"got {shape}; prepare the set for {recipe.name}, or give another --data"
        )
    if recipe.base is not None and shape[-1] != recipe.input_shape[-1]:
        raise InputError(f"{image_set.name}: expected RGB images, as {recipe.base} takes them, got grey ones")
    if len(image_set.labels) < 2:
        raise DataError(f"{image_set.name}: expected at least two classes, got {len(image_set.labels)}")
    for name in (TRAIN, TEST):
        if len(image_set.split(name)) == 0:
            raise DataError(f"{image_set.name}: expected images in the {name} split, got none")


def _first_step_noted(watch: Stopwatch) -> ReportProgress:
    def note(progress: Progress) -> None:
        del progress
        watch.seconds.setdefault("to_first_step", watch.elapsed)

    return note


def _reported_to_all(reports: Sequence[ReportProgress]) -> ReportProgress:
    def report_all(progress: Progress) -> None:
        for report in reports:
            report(progress)

    return report_all


def _versions(devices: Devices) -> Mapping[str, str]:
    backend = keras.backend.backend()
    return {
        "edgecnn": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: version(backend),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "devices": str(devices),
    }


def _timings(watch: Stopwatch, history: tuple[Epoch, ...]) -> dict[str, float]:
    epochs = sum(epoch.seconds for epoch in history)
    seconds = {**watch.seconds, "epochs": epochs, "total": watch.elapsed}
    return {name: round(value, 3) for name, value in seconds.items()}
