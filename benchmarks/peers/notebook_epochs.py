"""Seconds an epoch of the casting notebook's loops and of edgecnn on prepared images, interleaved in one run."""

import datetime
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from interleaved import interleave, ratio

from edgecnn_benchmarks.machine.description import describe_machine
from edgecnn_benchmarks.statistics.intervals import median_estimate
from edgecnn_benchmarks.statistics.quantities import figure
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.system import atomic_files

EPOCHS = Path(__file__).parents[1] / "notebook_epochs.json"

# What of edgecnn each loop is compared with: the recipe that trains the same network.
_RECIPES = {
    "keras": "casting",
    "tf": "casting",
    "skimage": "casting",
    "augment": "casting-augmented",
    "mobilenetv2": "casting-mobilenetv2",
}
_TITLES = {
    "keras": "ImageDataGenerator",
    "tf": "image_dataset_from_directory",
    "skimage": "scikit-image, one array",
    "augment": "image_dataset_from_directory, augmented",
    "mobilenetv2": "image_dataset_from_directory, frozen MobileNetV2 in the graph",
}


@dataclass(frozen=True)
class EpochsMeasured:
    """Seconds an epoch, one figure a round, of each loop and (as "edgecnn RECIPE") of each recipe."""

    date: str
    machine: str
    load: float  # average of one minute, at the end
    images: int
    seconds: dict[str, list[float]]


def measure_epochs(folders: Path, *, rounds: int) -> EpochsMeasured:
    """Train an epoch a round in each way, on as many photos, without validation.

    Args:
        folders: of the casting photos, with `train` and `test`.
        rounds: how many; six give a 95 % interval.
    """
    import keras
    import numpy as np
    from epoch_seconds import compiled, epoch_seconds, our_epoch
    from notebook_casting import Way, build, compile_as_notebook, load

    from edgecnn_training.batches import Batches
    from edgecnn_training.data.prepare import open_or_prepare
    from edgecnn_training.devices.devices import prepare_devices
    from edgecnn_training.recipes import get_recipe

    prepare_devices(device=None, threads=None, deterministic=False)
    split = open_or_prepare("casting", say=print).split("train")
    images = len(split) - int(0.1 * len(split))  # the notebook validates on the others

    def loop(way: Way) -> Callable[[], float]:
        feed, network = load(way, 0, folders), build(way, 0)
        compile_as_notebook(network, way)
        return lambda: epoch_seconds(network, feed.training)

    def recipe(name: str) -> Callable[[], float]:
        settings = get_recipe(name).settings
        network = compiled(open_or_prepare("casting", say=print), name, settings)
        positions = np.arange(images)
        return our_epoch(network, Batches(split, positions, batch_size=settings.batch_size, shuffle_seed=0))

    ways = {way: loop(Way(way)) for way in _RECIPES}
    # The head on a frozen base has epochs of another kind; TRAINING.md measures it as a whole.
    ways |= {f"edgecnn {name}": recipe(name) for name in ("casting", "casting-augmented")}
    figures = interleave(ways, rounds=rounds)
    keras.backend.clear_session()
    machine = describe_machine()
    return EpochsMeasured(
        date=str(datetime.datetime.now(tz=datetime.UTC).date()),
        machine=f"{machine.cpu}, {machine.available_cpus} processors",
        load=machine.load_average[0] if machine.load_average else 0.0,
        images=images,
        seconds=figures,
    )


def keep_epochs(measured: EpochsMeasured, path: Path) -> None:
    """Write what was measured, for `read_epochs`."""
    atomic_files.write_text(path, json.dumps(asdict(measured), indent=1) + "\n")


def read_epochs(path: Path) -> EpochsMeasured | None:
    """Read what `keep_epochs` wrote; None where nothing was measured yet.

    Raises:
        DataError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return EpochsMeasured(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"{path}: expected what --rounds measured, got {problem}; remove it, measure again"
        ) from problem


def epoch_lines(measured: EpochsMeasured) -> list[str]:
    """Write the figures as Markdown."""
    rows = []
    for way, title in _TITLES.items():
        ours = measured.seconds.get(f"edgecnn {_RECIPES[way]}")
        cells = (
            title,
            figure(median_estimate(measured.seconds[way])),
            f"`{_RECIPES[way]}`",
            figure(median_estimate(ours)) if ours else "see TRAINING.md",
            f"{figure(ratio(measured.seconds[way], ours))}" if ours else "",
        )
        rows.append(f"| {' | '.join(cells)} |")
    rounds = len(next(iter(measured.seconds.values())))
    return [
        "",
        "## Seconds an epoch, casting",
        "",
        f"An epoch of {measured.images} photos of 300x300, batch 32, without validation; {rounds} rounds, the ways in "
        "random order, ratios round by round, in brackets the 95 % interval of the median. edgecnn trains on the "
        "prepared set, which is made once.",
        "",
        f"Machine: {measured.machine}, {measured.date}, load average {measured.load:.1f} at the end.",
        "",
        "| the notebook's loop | seconds | edgecnn | seconds | edgecnn is so many times as fast |",
        "|---|---|---|---|---|",
        *rows,
    ]
