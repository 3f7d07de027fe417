"""Whether a run folder may be trained into, and where its training goes on."""

import shutil

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.resuming.origin import RunOrigin


def started_with(folder: RunFolder) -> RunOrigin | None:
    """Return what the finished or unfinished run in a folder was started with; None where there is no run.

    Raises:
        InputError: there is one that cannot be read.
    """
    if folder.record.exists():
        record = folder.read_record()
        try:
            return RunOrigin.from_record(record)
        except ValueError as error:
            raise InputError(f"{folder.record}: {error}; train again with --overwrite") from error
    checkpoint = Checkpoint.read(folder) or Checkpoint.read(folder.fold(1))
    return checkpoint.origin if checkpoint else None


def run_to_resume(folder: RunFolder, *, resume: bool, overwrite: bool) -> RunOrigin | None:
    """Make sure that training into a folder destroys nothing unasked, before anything is loaded or written.

    Returns:
        What the run to go on with was started with; None where a new one starts.

    Raises:
        InputError: a run is there and neither `resume` nor `overwrite` was asked for, or it cannot be read.
    """
    if overwrite:
        return None
    earlier = started_with(folder)
    if (earlier is not None or folder.plan.exists()) and not resume:
        choice = "--output for another folder" if folder.record.exists() else "--resume to go on with it"
        raise InputError(
            f"{folder.path}: expected a folder without a run, got {_kind(folder)}; give {choice}, "
            "or --overwrite to delete it and start again"
        )
    return earlier


def claim(
    folder: RunFolder, origin: RunOrigin, *, resume: bool, overwrite: bool, is_chief: bool = True
) -> Checkpoint | None:
    """Take a folder for a run, and find where its training goes on.

    Of several workers only the chief removes what is to be overwritten; the others take it for removed.

    Returns:
        The checkpoint to go on from; None to start at the first epoch, or where the run is finished.

    Raises:
        InputError: as `run_to_resume`, or the run to resume was started with something else.
    """
    earlier = run_to_resume(folder, resume=resume, overwrite=overwrite)
    if overwrite and not is_chief:
        return None
    if overwrite:
        clear(folder)
    if earlier is not None and (different := earlier.differences(origin)):
        raise InputError(
            f"{folder.path}: expected what {_kind(folder)} was started with, got {', '.join(different)}; "
            "leave these options out to resume, or give --overwrite to start again"
        )
    return Checkpoint.read(folder)


def _kind(folder: RunFolder) -> str:
    return "a finished run" if folder.record.exists() else "an unfinished run"


def clear(folder: RunFolder) -> None:
    """Remove what a run leaves behind, and what was exported and measured from it; nothing else."""
    # The record first: a folder that has it holds a finished run.
    for file in (
        folder.record,
        folder.model,
        folder.best_weights,
        folder.history,
        folder.metrics,
        folder.candidates,
        folder.classification_report,
        folder.test_probabilities,
        folder.network_summary,
    ):
        file.unlink(missing_ok=True)
    for inner in (
        folder.checkpoints,
        folder.predictions,
        folder.figures,
        folder.tensorboard,
        folder.evaluation,
        folder.explain,
        folder.export,
        folder.bench,
    ):
        if inner.exists():
            shutil.rmtree(inner)
