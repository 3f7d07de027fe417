"""`edgecnn train RECIPE`: a documented classifier, and all that a run leaves behind."""

import contextlib
import dataclasses
import json as json_module
import math
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecnn.console import Console, JsonOption, QuietOption
from edgecnn.options.option_group import output_option, takes_options
from edgecnn.options.training_options import TrainingOptions
from edgecnn.printing.scores import last_epoch_shown, scores_shown, uneven_classes_shown, without_copies_shown

if TYPE_CHECKING:
    from edgecnn.workflows.train_automatic import Chosen
    from edgecnn_runtime.workstation.image_set import ImageSet
    from edgecnn_runtime.workstation.run_folder import RunFolder
    from edgecnn_training.recipe import Recipe, Shape
    from edgecnn_training.settings import TrainingSettings
    from edgecnn_training.stopwatch import Stopwatch

# What a shell reports for a program that Ctrl-C ended: 128 + SIGINT.
_INTERRUPTED = 130

# Below so many validation images one image is more than three points of accuracy.
_FEW_TO_CHOOSE_BY = 30

# What the trainings of a run without a recipe may take together.
_MINUTES = 10.0


@takes_options(training_options=TrainingOptions)
def train(
    training_options: Any,
    recipe: Annotated[
        str | None,
        typer.Argument(help="Name of a recipe; 'edgecnn recipes' shows the choice.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Known image set, prepared set, class folders (a folder or zip), or CSV of labels beside its images; "
            "default: the recipe's."
        ),
    ] = None,
    imgsz: Annotated[
        int | None,
        typer.Option(
            help="Side of the images in pixels, where the recipe takes any size; default: the recipe's, or that of the "
            "images where it is smaller."
        ),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Network of keras.applications for transfer, such as EfficientNetV2B0.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="Width of the network: channels as a multiple of the recipe's, such as 0.35."),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(metavar="N", help="Parameters at most, such as 30k: takes the largest --alpha within them."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file with these options, or the run.json of a run to repeat."),
    ] = None,
    output: Annotated[Path | None, output_option("DIR", "Run folder; default: runs/<recipe>.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the last finished epoch, with the options as they were.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the run in DIR, with its exports, and start again.")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(help="Without a recipe: what all trainings together may take; default: 10.", show_default=False),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Without a recipe: print what would be trained, and why, and stop.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the scores to DIR/tensorboard too, for TensorBoard.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a classifier into a run folder.

    Without a recipe, edgecnn looks at your images and chooses: --data my_folder.

    The folder holds the model, its scores on the test split, and figures.

    The best epoch is chosen on validation images taken from the training split, unless the set brings a split
    for it; the test split is read once. An option here goes before the one in --config, and that before the
    recipe's.
    """
    from edgecnn.printing.image_progress import shown_images, shown_preparing
    from edgecnn.printing.training_progress import shown_training
    from edgecnn_runtime.errors import InputError
    from edgecnn_runtime.workstation.run_folder import RunFolder
    from edgecnn_training.config import Config, read_config
    from edgecnn_training.data.prepare import open_or_prepare
    from edgecnn_training.devices.cluster import cluster_of_environment
    from edgecnn_training.packages import check_packages
    from edgecnn_training.recipes import get_recipe
    from edgecnn_training.resuming.resume import run_to_resume
    from edgecnn_training.stopwatch import Stopwatch

    watch = Stopwatch.of_process()
    console = Console(json=json, quiet=quiet)
    described = read_config(config) if config else Config()
    given = {name: value for name, value in dataclasses.asdict(training_options).items() if value is not None}
    given = {**described.settings, **given}
    name, source = recipe or described.recipe, data or described.data
    if name is None and output is None and source is not None:
        images = Path(source).resolve()
        output = Path("runs") / (images.stem if images.is_file() else images.name)
    # A width given here goes before a number of parameters in the file, and the other way round.
    if alpha is None and params is None:
        alpha, params = described.alpha, described.params
    named = None if name is None else _chosen_recipe(name, backbone, alpha)
    parameters = None if named is None else _parameters(named, alpha, params)
    if named is None and (output is None or backbone is not None):
        raise InputError(
            "recipe: expected a name, --data with your images or --config, got none of them; 'edgecnn recipes' shows "
            "the choice"
        )
    if named is None:
        _refuse_without_recipe(alpha=alpha, params=params, teacher=given.get("teacher"))
    folder = RunFolder(output or Path("runs") / (_folder_name(named, params) if named else ""))
    earlier = run_to_resume(folder, resume=resume, overwrite=overwrite)
    check_packages()
    cluster = cluster_of_environment(os.environ)
    # Without a recipe, those of one for the user's own images say whether all values are in range.
    begun_with = earlier or named or get_recipe("small-cnn")
    settings = begun_with.settings.overridden(**given)
    _check_device(settings.device)
    out_of_fold, going_on = None, resume
    if named is None and earlier is not None and not folder.plan.exists():
        # A run that was started with a recipe, or is finished, goes on without its name.
        named = get_recipe(earlier.recipe)
    if named is not None and folder.plan.exists() and not overwrite:
        raise InputError(
            f"{folder.path}: expected no recipe, as the run was started without one, got {named.name}; leave it out to "
            "resume, or give --overwrite to start again"
        )
    if named is None:
        automatic = _chosen_automatically(
            console,
            source,
            folder,
            given=given,
            imgsz=imgsz if imgsz is not None else described.imgsz,
            minutes=minutes,
            plan_only=plan,
            overwrite=overwrite,
            watch=watch,
        )
        if automatic is None:
            return
        # What was there before is gone, and the folds of what is chosen are done.
        overwrite, going_on = False, True
        chosen, image_set = get_recipe(automatic.recipe), automatic.image_set
        settings, out_of_fold = automatic.settings, automatic.out_of_fold
    else:
        chosen = named
        if plan or minutes is not None:
            raise InputError(
                f"--{'plan' if plan else 'minutes'}: expected no recipe, as {chosen.name} is trained as it is; "
                "leave the one or the other out"
            )
        source = source or (earlier.data_folder if earlier else chosen.data)
        if source is None:
            raise InputError(
                f"data: expected a folder with one sub-folder per class for {chosen.name}; give it with --data"
            )
        shape = _image_shape(chosen, imgsz if imgsz is not None else described.imgsz)
        own_shape = _own_shape(chosen, source) if shape is None else shape
        with watch.timing("data"), shown_preparing(console, source) as preparing:
            image_set = open_or_prepare(source, say=console.say, shape=shape, own_shape=own_shape, report=preparing)
        for warning in image_set.warnings:
            console.warn(f"{image_set.name}: {warning}")
    if described.data_fingerprint not in (None, image_set.fingerprint):
        console.warn(f"{image_set.name}: not the images that the run of {config} was trained on")
    if resume and earlier is None and out_of_fold is None:
        console.say(f"{folder.path} has no checkpoint: starting with the first epoch.")
    if parameters is not None:
        if cluster.workers > 1:
            raise InputError(f"params: expected one machine, got {cluster.workers} workers; give --alpha")
        chosen = _widest_within(console, chosen, parameters, image_set, settings)
    finished_before = folder.record.exists() and not overwrite
    if not finished_before:
        console.say(
            f"Training {chosen.name} on {image_set.name}: epochs {settings.epochs}, batch size {settings.batch_size}, "
            f"{settings.optimizer} with learning rate {settings.learning_rate:g}, seed {settings.seed}"
        )
        if (changes := chosen.changes(settings)) is not None:
            console.say(f"The images are changed at random: {changes}")
        if settings.teacher is not None:
            console.say(
                f"Its loss is to {settings.teacher_weight:.0%} the difference from the answers of {settings.teacher}, "
                f"softened at temperature {settings.temperature:g}."
            )
        if chosen.base and not settings.augment:
            console.say(f"Each image goes through the frozen {chosen.base} once; then the head trains on the features.")
        if chosen.base and settings.unfreeze:
            console.say(
                f"From its best epoch on the top {settings.unfreeze} layers of {chosen.base} are trained too: "
                f"epochs {settings.fine_tune_epochs}, learning rate {settings.fine_tune_rate:g}"
            )
        if (few := _few_to_choose_by(settings, image_set)) is not None:
            console.warn(few)
    with (
        _resume_command_shown(console, chosen.name, folder),
        shown_images(console, "features") as report_features,
        shown_training(console) as report,
    ):
        with watch.timing("imports"), loading_training("edgecnn train"):
            from edgecnn_training.train import train as train_recipe
        record = train_recipe(
            chosen,
            image_set,
            folder,
            settings,
            resume=going_on,
            overwrite=overwrite,
            tensorboard=tensorboard,
            command=shlex.join(["edgecnn", *sys.argv[1:]]),
            watch=watch,
            report=report,
            report_features=report_features,
            out_of_fold=out_of_fold,
            warn=console.warn,
        )
    if record is None:
        console.say(f"Worker {cluster.worker} of {cluster.workers} is done; worker 0 writes the run: {folder.path}")
        console.document({"run": str(folder.path), "worker": cluster.worker})
        return
    if finished_before:
        console.say(f"{folder.path} was finished before; it is left as it is.")
    print_trained(console, folder)
    console.say("", f"Next: edgecnn export {shlex.quote(str(folder.path))} --int8")


def _chosen_automatically(
    console: Console,
    source: str | None,
    folder: "RunFolder",
    *,
    given: dict[str, Any],
    imgsz: int | None,
    minutes: float | None,
    plan_only: bool,
    overwrite: bool,
    watch: "Stopwatch",
) -> "Chosen | None":
    """Plan, and choose by folds what is trained; None where only the plan was asked for."""
    from edgecnn_runtime.errors import InputError

    if source is None:
        raise InputError("data: expected your images, got none; name them with --data, as at the start of the run")
    if minutes is not None and not 0 < minutes < math.inf:
        raise InputError(f"minutes: expected a finite number above 0, got {minutes:g}")
    if imgsz is not None and imgsz < 1:
        raise InputError(f"imgsz: expected at least 1, got {imgsz}")
    from edgecnn.workflows.train_automatic import choose_network, plan_training, show_plan

    with loading_training("edgecnn train"):
        import edgecnn_training.automatic.choice  # noqa: F401, for its messages
    made = plan_training(
        console, source, folder, given=given, imgsz=imgsz, minutes=minutes or _MINUTES, overwrite=overwrite
    )
    show_plan(console, source, made)
    if plan_only:
        console.document(dataclasses.asdict(made))
        return None
    with _resume_command_shown(console, f"--data {shlex.quote(source)}", folder):
        return choose_network(console, source, made, folder, overwrite=overwrite, watch=watch)


def _refuse_without_recipe(**given: Any) -> None:
    """Refuse options that say something of a recipe where none is named, and the network is chosen."""
    from edgecnn_runtime.errors import InputError

    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name}: expected the name of a recipe beside it, such as small-cnn, got none; add one")


def _few_to_choose_by(settings: "TrainingSettings", image_set: "ImageSet") -> str | None:
    """Say that too few validation images choose the epoch; None where they suffice, or none are asked."""
    from edgecnn_training.history import Monitor

    if settings.folds or settings.monitor is Monitor.LAST:
        return None
    _, validation = settings.division_of(image_set).divide(image_set)
    if len(validation) >= _FEW_TO_CHOOSE_BY:
        return None
    return (
        f"{len(validation)} validation images choose the epoch that is kept, which is little more than chance; "
        "give --monitor last, --folds 5 --monitor last, or more images"
    )


def _chosen_recipe(name: str, backbone: str | None, alpha: float | None) -> "Recipe":
    """Find the recipe; `transfer` with another backbone is `transfer:<backbone>`, at another width `transfer@<alpha>`.

    An option goes before what the name says.
    """
    from edgecnn_runtime.errors import InputError
    from edgecnn_training.recipes import at_width, get_recipe

    chosen = get_recipe(name)
    if backbone is not None:
        if chosen.name.partition(":")[0].partition("@")[0] != "transfer":
            raise InputError(f"backbone: expected the recipe transfer, got {name}; leave --backbone out")
        alpha = chosen.alpha if alpha is None and chosen.alpha != 1 else alpha
        chosen = get_recipe(f"transfer:{backbone}")
    return chosen if alpha is None else at_width(chosen, alpha)


def _parameters(recipe: "Recipe", alpha: float | None, params: str | None) -> int | None:
    """Return the number of parameters that --params asks for, if it does."""
    from edgecnn_runtime.errors import InputError
    from edgecnn_training.networks.width import parse_parameters
    from edgecnn_training.recipes import at_width

    if params is None:
        return None
    if alpha is not None:
        raise InputError(f"params: expected no --alpha beside it, got {alpha:g}; give one of the two")
    # Refuses a recipe of one width before the data are prepared.
    at_width(recipe, recipe.alpha)
    return parse_parameters(params)


def _folder_name(recipe: "Recipe", params: str | None) -> str:
    """Name the run folder, whose name its files begin with: no colon, for Windows, and no width that is yet unknown."""
    name = recipe.name if params is None else f"{recipe.name.partition('@')[0]}@{params.strip().lower()}"
    return re.sub("[:@,]", "-", name)


def _widest_within(
    console: Console, recipe: "Recipe", parameters: int, image_set: "ImageSet", settings: "TrainingSettings"
) -> "Recipe":
    """Choose the width for --params, and say which."""
    with loading_training("edgecnn train --params"):
        from edgecnn_training.devices.devices import prepare_devices
        from edgecnn_training.parameter_budget import widest_within
    # Before the networks that are counted are built, after which TensorFlow changes neither devices nor threads.
    prepare_devices(device=settings.device, threads=settings.threads, deterministic=settings.deterministic)
    shape = image_set.input.shape
    chosen, count = widest_within(
        recipe, parameters, classes=len(image_set.labels), shape=shape, weights=settings.weights
    )
    console.say(f"{chosen.name} has {count:,} of at most {parameters:,} parameters (--alpha {chosen.alpha:g}).")
    return chosen


def _image_shape(recipe: "Recipe", imgsz: int | None) -> "Shape | None":
    """Return the images that the recipe takes; None where it takes those that a prepared or known set has."""
    from edgecnn_runtime.errors import InputError

    height, width, channels = recipe.input_shape
    if imgsz is None:
        return None if recipe.any_size else recipe.input_shape
    if not recipe.any_size and (imgsz, imgsz) != (height, width):
        raise InputError(f"imgsz: {recipe.name} takes images of {height}x{width} only, got {imgsz}; leave it out")
    if imgsz < 1:
        raise InputError(f"imgsz: expected at least 1, got {imgsz}")
    return imgsz, imgsz, channels


def print_trained(console: Console, folder: "RunFolder") -> None:
    """Print the scores of a finished run and its files, or the JSON document."""
    metrics = json_module.loads(folder.metrics.read_text(encoding="utf-8"))
    record = folder.read_record()
    console.say(*scores_shown(metrics))
    for line in (last_epoch_shown(metrics), uneven_classes_shown(metrics), without_copies_shown(metrics)):
        if line is not None:
            console.say(line)
    console.say(f"Run: {folder.path} (model.keras, metrics.json, classification_report.txt, predictions/, figures/)")
    console.document({"run": str(folder.path), "metrics": metrics, "timings": dict(record.timings)})


def _own_shape(recipe: "Recipe", source: str) -> "Shape":
    """Return the shape at which a user's own images are prepared for a recipe of any size, where none is asked for."""
    from edgecnn_training.automatic.set_looks import look_at_source, usual_shape
    from edgecnn_training.data.prepared_as import find_images
    from edgecnn_training.data.readers.own_images import OwnImages

    # A pretrained base has learnt at its size.
    if recipe.base is None and isinstance(found := find_images(source), OwnImages):
        return usual_shape(look_at_source(found.read()), recipe.input_shape)
    return recipe.input_shape


@contextlib.contextmanager
def loading_training(command: str) -> Iterator[None]:
    """Import Keras in the block for a command, with TensorFlow's start-up messages kept off the screen."""
    from edgecnn_runtime.errors import MissingExtraError
    from edgecnn_runtime.system.native_output import native_output_kept

    try:
        with native_output_kept():
            yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(command, package=error.name or "keras", extra="train") from error


def _check_device(device: str | None) -> None:
    """Make sure that a device asked for is there; TensorFlow is loaded for it only then."""
    if device is None:
        return
    with loading_training("edgecnn train"):
        from edgecnn_training.devices.devices import check_device
    check_device(device)


@contextlib.contextmanager
def _resume_command_shown(console: Console, recipe: str, folder: "RunFolder") -> Iterator[None]:
    """Report, when a training is stopped or a disk is full, what is kept and the command that resumes it."""

    def report() -> None:
        if folder.plan.exists() or folder.last_checkpoint.exists() or folder.fold(1).last_checkpoint.exists():
            output = shlex.quote(str(folder.path))
            how = f"what was trained is kept; go on with: edgecnn train {recipe} --output {output} --resume"
        else:
            how = "no epoch was finished; run the same command again"
        console.warn(f"stopped: {how}")

    try:
        yield
    except KeyboardInterrupt:
        report()
        raise typer.Exit(_INTERRUPTED) from None
    except OSError:
        report()
        raise
