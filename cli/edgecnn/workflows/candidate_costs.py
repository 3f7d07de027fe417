"""What an int8 file of an architecture takes: exported with random weights, and timed as `edgecnn bench` does."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecnn_runtime.errors import GateError
from edgecnn_runtime.workstation.division import Division, DivisionMethod, stratified_sample
from edgecnn_runtime.workstation.image_set import ImageSet, Split, fingerprint
from edgecnn_runtime.workstation.run_folder import RunFolder, RunRecord

if TYPE_CHECKING:
    from edgecnn_export.export_index import ExportedFile
    from edgecnn_export.inspection.verdict import Verdict
    from edgecnn_training.search.space import Architecture

# Images that an untrained network is calibrated and checked on.
_IMAGES = 16
_FORMAT = "tflite-int8"


def export_int8(folder: RunFolder, image_set: ImageSet, *, max_drop: float = 1.0) -> "ExportedFile":
    """Export a run to int8 TFLite.

    Raises:
        GateError: no file could be made, or it lost too much.
    """
    from edgecnn_export.export_run import ExportSettings, export_run, require_all_kept
    from edgecnn_export.formats import FORMATS

    settings = ExportSettings((FORMATS[_FORMAT],), max_drop=max_drop)
    (file,) = export_run(folder, image_set, settings, report=_unseen)
    require_all_kept([file])
    return file


def export_untrained(architecture: "Architecture", image_set: ImageSet, path: Path) -> None:
    """Write the int8 file that a network with random weights gives; it is as large and as fast as the trained one.

    Args:
        architecture: the network.
        image_set: of its shape; a few of its training images give the ranges of the activations.
        path: the file to write.

    Raises:
        GateError: no file can be made of it.
    """
    import keras

    from edgecnn_runtime.system import atomic_files
    from edgecnn_training.networks.network import build_network

    recipe = architecture.found()
    train = image_set.split("train")
    chosen = stratified_sample(train.labels, min(_IMAGES, len(train)), seed=0)
    some = Split(train.images[chosen], train.labels[chosen], tuple(train.files[number] for number in chosen))
    few = replace(image_set, splits={"train": some, "test": some}, copies={})
    with tempfile.TemporaryDirectory(prefix="edgecnn-search-") as scratch:
        folder = RunFolder(Path(scratch) / "untrained")
        folder.path.mkdir()
        network = build_network(keras, recipe, len(few.labels), shape=architecture.shape)
        # Biases of zero, as an untrained network has them, would be left out of the file.
        drawn = np.random.default_rng(0)
        network.set_weights([value + 0.1 * drawn.random(value.shape) for value in network.get_weights()])
        network.save(folder.model)
        folder.write_record(
            RunRecord(
                name="untrained",
                recipe={"name": recipe.name},
                labels=few.labels,
                input=few.input,
                data_name=few.name,
                data_folder=str(few.folder),
                data_fingerprint=fingerprint(few.labels, few.splits),
                seed=0,
                licence=few.licence,
                division=Division(method=DivisionMethod.NONE, joined=("train", "test")),
            )
        )
        # What it loses of answers that mean nothing is no matter.
        file = export_int8(folder, few, max_drop=100)
        atomic_files.write_bytes(path, file.path.read_bytes())


def measure_latencies(paths: Sequence[Path], report: Callable[[float, str], None]) -> dict[Path, float]:
    """Time model files by turns, as `edgecnn bench` does: one image, one thread, the interpreter it names first.

    Returns:
        The median latency of each in microseconds.

    Raises:
        GateError: one does not run.
    """
    from edgecnn_benchmarks.measuring.candidates import name_candidates
    from edgecnn_benchmarks.measuring.labelled_images import SampleShelf
    from edgecnn_benchmarks.measuring.rounds import Job, Rounds
    from edgecnn_benchmarks.measuring.timing import Timing
    from edgecnn_benchmarks.process.worker_process import WorkerError
    from edgecnn_benchmarks.settings import BenchSettings

    # A difference of a few percent decides nothing here.
    settings = BenchSettings(precision=0.05, max_secs=max(5.0, 2.0 * len(paths)))
    with tempfile.TemporaryDirectory(prefix="edgecnn-search-") as temporary:
        scratch = Path(temporary)
        shelf = SampleShelf(scratch)
        jobs = []
        named = [candidate for candidate in name_candidates(paths) if not candidate.is_additional]
        try:
            for candidate in named:
                with candidate.start_worker(settings, threads=1, scratch=scratch) as worker:
                    jobs.append(Job(candidate, shelf.generated(worker.facts.input)))
        except WorkerError as error:
            raise GateError(f"expected a file that runs, got: {error}") from error
        rounds = Rounds(jobs, reference=jobs[0].name, settings=settings, scratch=scratch)
        rounds.measure(report)
        if rounds.failures:
            name, failure = next(iter(rounds.failures.items()))
            raise GateError(f"{name}: expected a file that runs, got: {failure}")
        turns = rounds.turns
        return {job.candidate.path: Timing(turns[job.name], reference=None).latency_us.p50.value for job in jobs}


def judge_file(path: Path, target: str) -> "Verdict":
    """Ask the inspection whether a target runs a file, and how long its NPU would take."""
    from edgecnn_export.inspection.model import inspect_model
    from edgecnn_export.inspection.targets import judge
    from edgecnn_runtime.system.native_output import native_output_kept

    with native_output_kept():
        (verdict,) = judge(inspect_model(path), [target])
    return verdict


def _unseen(file: object) -> None:
    """Take the one file that is made."""
    del file
