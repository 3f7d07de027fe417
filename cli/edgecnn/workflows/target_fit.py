"""Which of a run's files a target can run: the verdicts of `edgecnn inspect`, for `edgecnn bench recommend`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.workstation.run_folder import RunFolder

if TYPE_CHECKING:
    from edgecnn_benchmarks.measuring.result import BenchResult


@dataclass(frozen=True)
class TargetFit:
    """What a target says to each file; nothing where no target was named."""

    # Files that it cannot run, and why.
    unfit: Mapping[str, str] = field(default_factory=dict)
    # What a verdict leaves open, by file.
    remarks: Mapping[str, str] = field(default_factory=dict)
    # Where the latencies were measured, as a sentence.
    about_latency: str | None = None

    def cautions(self, file: str | None) -> list[str]:
        """Return what to know before shipping this file there."""
        return [text for text in (self.remarks.get(file or ""), self.about_latency) if text]


def judge_files(run: Path, result: "BenchResult", target: str) -> TargetFit:
    """Inspect every file that was measured, for one target.

    Raises:
        InputError: no such target, or the model files are not at hand.
        MissingExtraError: what inspects for this target is not installed.
    """
    from edgecnn_export.inspection.model import inspect_model
    from edgecnn_export.inspection.targets import check_targets, judge
    from edgecnn_export.inspection.verdict import Fit
    from edgecnn_runtime.system.native_output import native_output_kept

    check_targets([target])
    # A bench.json is in bench/ of its run, or in bench/HOST/.
    places = (RunFolder(place) for place in (run, *result.folder.resolve().parents[:2]))
    folder = next((place for place in places if place.export.is_dir()), RunFolder(run))
    unfit, remarks = {}, {}
    for name in dict.fromkeys(row.file for row in result.rows if row.is_file):
        path = folder.export / name
        if not path.is_file():
            raise InputError(
                f"--target: expected a run folder with its model files, got {folder.path}, which has no export/{name}; "
                "'edgecnn bench RUN' without --output leaves its result in the run"
            )
        with native_output_kept():
            (verdict,) = judge(inspect_model(path), [target])
        if verdict.answer is Fit.NO:
            unfit[name] = "; ".join(obstacle.why for obstacle in verdict.obstacles) or verdict.summary
        else:
            remarks[name] = f"{target}: {verdict.answer}, {verdict.summary}."
    return TargetFit(
        unfit,
        remarks,
        f"Speeds are those of {result.machine.cpu}, where 'edgecnn bench' ran; on {target} their order may be another. "
        f"Where SSH reaches it, 'edgecnn bench {folder.path} --host USER@HOST' measures there.",
    )
