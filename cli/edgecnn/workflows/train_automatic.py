"""`edgecnn train` without a recipe: look at the images, plan, try the candidates on folds, and name the best."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgecnn.console import Console
from edgecnn.printing.image_progress import shown_images, shown_preparing
from edgecnn.printing.training_progress import shown_training
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.system.atomic_files import write_json
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder

if TYPE_CHECKING:
    from edgecnn_training.automatic.plan import Candidate, Plan, Speed
    from edgecnn_training.automatic.set_looks import SetLooks
    from edgecnn_training.fit import ReportProgress
    from edgecnn_training.folds import OutOfFold
    from edgecnn_training.settings import TrainingSettings
    from edgecnn_training.stopwatch import Stopwatch


@dataclass(frozen=True)
class Chosen:
    """What is to be trained, and what its folds have said before."""

    recipe: str
    image_set: ImageSet
    settings: "TrainingSettings"
    out_of_fold: "OutOfFold | None"  # None where validation images are kept back instead


def plan_training(
    console: Console,
    data: str,
    folder: RunFolder,
    *,
    given: Mapping[str, Any],
    imgsz: int | None,
    minutes: float,
    overwrite: bool,
) -> "Plan":
    """Make the plan for a set, or read that of the run which is resumed.

    Args:
        console: for what is prepared.
        data: what `find_images` finds.
        folder: of the run.
        given: settings that the user named; None where not.
        imgsz: the side of the images that the user named.
        minutes: what all trainings may take.
        overwrite: make a plan anew, whatever run is in the folder.

    Raises:
        InputError: the run to resume was started with other settings, or its plan cannot be read.
        DataError: the images cannot be used.
    """
    from edgecnn_training.automatic.plan import Plan, make_plan, settings_for
    from edgecnn_training.automatic.speed import measure_speed, missing_base
    from edgecnn_training.devices.devices import prepare_devices

    named = {name: value for name, value in given.items() if value is not None}
    if folder.plan.exists() and not overwrite:
        try:
            plan = read_dataclass(Plan, read_object(folder.plan), name=str(folder.plan))
        except (OSError, ValueError) as error:
            raise InputError(f"{error}; train again with --overwrite") from error
        for candidate in plan.candidates:
            again = settings_for(candidate.recipe, named)
            others = [name for name in named if getattr(again, name) != getattr(candidate.settings, name)]
            if others:
                raise InputError(
                    f"{folder.path}: expected the settings that the run was started with, got others for "
                    f"{', '.join(others)}; leave these options out to resume, or give --overwrite to start again"
                )
        return plan
    looks = look_at_images(console, data)

    def speed(recipe: str, shape: tuple[int, int, int]) -> "Speed":
        return measure_speed(recipe, shape, classes=len(looks.counts))

    console.say("Measuring how fast this machine trains …")
    # TensorFlow's start-up messages, and those of a download, are none of the plan's.
    with native_output_kept():
        prepare_devices(
            device=named.get("device"),
            threads=named.get("threads"),
            deterministic=bool(named.get("deterministic")),
        )
        return make_plan(
            looks,
            given=named,
            imgsz=imgsz,
            minutes=minutes,
            without_base=_no_base(looks) or missing_base(named.get("weights")),
            speed=speed,
        )


def show_plan(console: Console, data: str, plan: "Plan") -> None:
    """Say what is planned and why."""
    console.say(f"Plan for {data}:")
    for sentence in plan.because:
        console.say(f"  - {sentence}")
    console.table(
        ("network", "input", "epochs", "steps at least", "folds", "augmented", "about"),
        [
            (
                candidate.recipe,
                "x".join(map(str, candidate.shape)),
                str(candidate.settings.epochs),
                str(candidate.settings.steps_due),
                str(candidate.settings.folds),
                "yes" if candidate.settings.augment else "no",
                f"{candidate.seconds:.0f} s" if candidate.seconds < 100 else f"{candidate.seconds / 60:.0f} min",
            )
            for candidate in plan.candidates
        ],
    )
    console.say(
        "Each of these is an option (--imgsz, --epochs, --folds, …); a recipe that is named is trained as it is."
    )


def choose_network(
    console: Console, data: str, plan: "Plan", folder: RunFolder, *, overwrite: bool, watch: "Stopwatch"
) -> Chosen:
    """Train the folds of the candidates, and return the one to train on all images.

    Raises:
        DataError: the images cannot be used.
        GateError: a training diverged.
        OSError: a file cannot be written.
    """
    from edgecnn_training.automatic.choice import told_apart, try_candidates, write_candidates
    from edgecnn_training.data.prepare import open_or_prepare
    from edgecnn_training.devices.devices import prepare_devices
    from edgecnn_training.resuming.resume import clear

    settings = plan.candidates[0].settings
    devices = prepare_devices(device=settings.device, threads=settings.threads, deterministic=settings.deterministic)
    said: set[str] = set()

    def image_set_of(candidate: "Candidate") -> ImageSet:
        with watch.timing("data"), shown_preparing(console, data) as preparing:
            image_set = open_or_prepare(
                data, say=console.say, shape=candidate.shape, own_shape=candidate.shape, report=preparing
            )
        for warning in image_set.warnings:
            if warning not in said:
                console.warn(f"{image_set.name}: {warning}")
        said.update(image_set.warnings)
        return image_set

    if overwrite:
        image_set_of(plan.candidates[0])  # what cannot be read costs no earlier run
        clear(folder)
    write_json(folder.plan, asdict(plan))
    with shown_images(console, "features") as report_features, shown_training(console) as report:

        def reporting(candidate: "Candidate") -> "ReportProgress":
            console.say(f"{candidate.recipe}:")
            return report

        tried = try_candidates(
            plan, image_set_of, folder, devices=devices, watch=watch, report=reporting, report_features=report_features
        )
    write_candidates(folder, tried)
    best = tried[0]
    console.say("")
    console.table(
        ("network", "parameters", "accuracy %, of folds", "95 % interval", "worst class %"),
        [
            (
                each.candidate.recipe,
                f"{each.parameters:,}",
                f"{100 * each.evaluation.accuracy.value:.1f}",
                _interval(each.evaluation.accuracy),
                f"{100 * min(one.recall for one in each.evaluation.per_class if one.support):.0f}",
            )
            for each in tried
        ],
    )
    if len(tried) > 1:
        other = tried[1]
        count = len(best.out_of_fold.images)
        console.say(
            f"{best.candidate.recipe} is kept."
            if told_apart(best, other)
            else f"{best.candidate.recipe} is kept, though {count:,} images cannot tell the two apart; "
            f"'edgecnn train {other.candidate.recipe} --data {data}' trains the other."
        )
    kept = best.candidate.settings
    return Chosen(best.candidate.recipe, best.image_set, kept, best.out_of_fold if kept.folds else None)


def _interval(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{100 * low:.1f} … {100 * high:.1f}"


def look_at_images(console: Console, data: str) -> "SetLooks":
    """Look at the images that a user names; a known set is prepared for it."""
    from pathlib import Path

    from edgecnn_runtime.workstation.image_set import open_prepared
    from edgecnn_training.automatic.set_looks import look_at_set, look_at_source
    from edgecnn_training.data.holdout import with_test_split
    from edgecnn_training.data.known_sets import KnownSet
    from edgecnn_training.data.prepare import open_known
    from edgecnn_training.data.prepared_as import find_images, known_input

    found = find_images(data)
    if isinstance(found, KnownSet):
        return look_at_set(open_known(found, known_input(found), say=console.say))
    if isinstance(found, Path):
        return look_at_set(open_prepared(found))
    return look_at_source(with_test_split(found.read(), name=data))


def _no_base(looks: "SetLooks") -> str | None:
    """Say why no pretrained network takes these images; None where one does."""
    if looks.fixed is None:
        return None
    height, width, channels = looks.fixed
    if channels != 3:
        return "it takes colour images, and the set is prepared in grey"
    return None if min(height, width) >= 32 else f"it takes 32x32 pixels at least, and the set has {height}x{width}"
