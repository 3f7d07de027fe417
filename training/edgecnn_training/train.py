"""A whole training run: data -> network -> epochs -> evaluation -> figures -> record."""

import dataclasses
import importlib.util
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, InputError, MissingExtraError
from edgecnn_runtime.image_set import ImageSet, Split
from edgecnn_runtime.run_folder import RunFolder, RunRecord
from edgecnn_runtime.stratify import stratified_sample
from edgecnn_runtime.version import __version__
from edgecnn_runtime.whole_files import write_json, write_text, written_whole
from edgecnn_training.batches import Batches
from edgecnn_training.devices import feed, prepare_device
from edgecnn_training.evaluation import evaluate
from edgecnn_training.fit import Progress, Report, compile_network, fit
from edgecnn_training.history import Epoch, best_epoch
from edgecnn_training.network import build_network
from edgecnn_training.origin import Origin
from edgecnn_training.recipe import Recipe
from edgecnn_training.resume import claim
from edgecnn_training.settings import Settings
from edgecnn_training.stopwatch import Stopwatch

# Images at once where nothing is learnt; the results do not depend on it.
_PREDICT_BATCH = 256


def train(
    recipe: Recipe,
    image_set: ImageSet,
    folder: RunFolder,
    settings: Settings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    command: str | None = None,
    watch: Stopwatch | None = None,
    report: Report | None = None,
) -> RunRecord:
    """Train a recipe and leave a run folder behind.

    The validation images are taken from the training split, stratified; the test split is read once, at the end,
    with the weights of the best epoch on the validation images. A run that was stopped, at any point, goes on
    with `resume` after its last finished epoch; a finished run is then returned as it is.

    Args:
        recipe: what to train.
        image_set: a prepared set on disk, with the splits `train` and `test`, of the recipe's input shape.
        folder: where the run goes.
        settings: how to train; `recipe.settings` holds the defaults.
        resume: go on with the run in `folder`, if there is one.
        overwrite: delete the run in `folder`, and what was exported and measured from it, if there is one.
        command: the command line, for the record.
        watch: started when the command was, for the time to the first step.
        report: called after each step and each epoch.

    Returns:
        The record, as in `run.json`.

    Raises:
        InputError: the data do not fit the recipe, or `folder` holds a run that this call may not touch.
        GateError: the training diverged.
        OSError: a file cannot be written; a checkpoint that was written stays.
    """
    _check_extra()
    watch = watch or Stopwatch()
    training, test = _splits_for(recipe, image_set)
    threads = prepare_device(threads=settings.threads, deterministic=settings.deterministic)
    settings = dataclasses.replace(settings, threads=threads)
    origin = Origin(recipe.name, str(image_set.folder), image_set.fingerprint, settings)
    checkpoint = claim(folder, origin, resume=resume, overwrite=overwrite)
    if folder.record.exists():
        return folder.read_record()

    trained_on, validated_on = split_positions(training.labels, settings)
    keras.utils.set_random_seed(settings.seed)
    model = build_network(keras, recipe, len(image_set.labels))
    compile_network(model, settings)
    history = fit(
        model,
        training=Batches(training, trained_on, batch_size=settings.batch_size, shuffle_seed=settings.seed),
        validation=Batches(training, validated_on, batch_size=_PREDICT_BATCH),
        origin=origin,
        folder=folder,
        checkpoint=checkpoint,
        report=_noting_first_step(report, watch),
    )
    _finish(recipe, image_set, test, folder, history, watch)

    record = RunRecord(
        name=folder.name,
        recipe={"name": recipe.name, "data": recipe.data, **dataclasses.asdict(settings)},
        labels=image_set.labels,
        input=image_set.input,
        data_name=image_set.name,
        data_folder=str(image_set.folder),
        data_fingerprint=image_set.fingerprint,
        seed=settings.seed,
        licence=image_set.licence,
        command=command,
        versions=_versions(),
        timings=_timings(watch, history),
    )
    folder.write_record(record)
    shutil.rmtree(folder.checkpoints)
    return record


def split_positions(numbers: NDArray[np.int64], settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the training split into images to train on and images to validate on, the latter stratified.

    Args:
        numbers: `(N,)`, the class numbers of the training split.
        settings: the share to validate on, and the seed.

    Returns:
        Positions in `numbers` to train on, and to validate on; int64, ascending.

    Raises:
        DataError: too few images for both.
    """
    count = round(len(numbers) * settings.validation_fraction)
    if not 0 < count < len(numbers):
        raise DataError(
            f"train: enough images to keep {settings.validation_fraction:.0%} for validation expected, "
            f"got {len(numbers)}"
        )
    validated_on = stratified_sample(numbers, count, seed=settings.seed)
    return np.setdiff1d(np.arange(len(numbers)), validated_on, assume_unique=True), validated_on


def _finish(
    recipe: Recipe,
    image_set: ImageSet,
    test: Split,
    folder: RunFolder,
    history: tuple[Epoch, ...],
    watch: Stopwatch,
) -> None:
    """Score the best weights on the test split, draw, and save the model."""
    # They load as long as a small training takes to begin, so they wait until here.
    from edgecnn_training import figures

    # A fresh network: the one that was fitted carries its optimizer, three times the size of the weights.
    model = build_network(keras, recipe, len(image_set.labels))
    model.load_weights(folder.best_weights)
    with watch.timing("evaluation"):
        everything = np.arange(len(test))
        probabilities = np.asarray(
            model.predict(feed(Batches(test, everything, batch_size=_PREDICT_BATCH)), verbose=0), np.float32
        )
        evaluation = evaluate(probabilities, test.labels, image_set.labels)
    with written_whole(folder.test_probabilities) as partial:
        np.save(partial, probabilities, allow_pickle=False)
    best = best_epoch(history)
    scores = {"split": "test", "best_epoch": best.epoch, "best_val_accuracy": best.val_accuracy}
    write_json(folder.metrics, scores | evaluation.document())
    write_text(folder.classification_report, evaluation.report)
    with watch.timing("figures"):
        figures.draw_all(folder, history, evaluation, test, probabilities, image_set.labels)
    with written_whole(folder.model) as partial:
        model.save(partial)


def _splits_for(recipe: Recipe, image_set: ImageSet) -> tuple[Split, Split]:
    """Return the splits to train on and to test on, after checking all that can be checked before training."""
    if image_set.folder is None:
        raise InputError(
            f"{image_set.name}: a prepared set on disk expected, got one in memory; "
            "export and bench read it again: prepare it with 'edgecnn data prepare'"
        )
    if image_set.input.shape != recipe.input_shape:
        raise InputError(
            f"{image_set.name}: images of the recipe's shape (height, width, channels) {recipe.input_shape} "
            f"expected, got {image_set.input.shape}; prepare the set for {recipe.name}, or give another --data"
        )
    if len(image_set.labels) < 2:
        raise DataError(f"{image_set.name}: at least two classes expected, got {len(image_set.labels)}")
    training, test = image_set.split("train"), image_set.split("test")
    if len(test) == 0:
        raise DataError(f"{image_set.name}: images in the test split expected, got none")
    return training, test


def _check_extra() -> None:
    """Find out before the training, not after it, that the packages for its end are missing."""
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError("training", package=package, extra="train")


def _noting_first_step(report: Report | None, watch: Stopwatch) -> Report:
    def noting(progress: Progress) -> None:
        watch.seconds.setdefault("to_first_step", watch.elapsed)
        if report is not None:
            report(progress)

    return noting


def _versions() -> Mapping[str, str]:
    backend = keras.backend.backend()
    return {
        "edgecnn": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: version(backend),
        "numpy": np.__version__,
        "platform": platform.platform(),
    }


def _timings(watch: Stopwatch, history: tuple[Epoch, ...]) -> dict[str, float]:
    epochs = sum(epoch.seconds for epoch in history)
    seconds = {**watch.seconds, "epochs": epochs, "total": watch.elapsed}
    return {name: round(value, 3) for name, value in seconds.items()}
