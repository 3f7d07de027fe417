"""Train the folds of each candidate of a plan, and choose the one to keep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgecnn_runtime.accuracy import mcnemar
from edgecnn_runtime.system.atomic_files import write_json
from edgecnn_runtime.workstation.division import Division, Portion
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.automatic.plan import Candidate, Plan
from edgecnn_training.devices.devices import Devices
from edgecnn_training.evaluation.scores import Evaluation, evaluate
from edgecnn_training.features import FeatureCache, FeatureReport
from edgecnn_training.fit import ReportProgress
from edgecnn_training.folds import OutOfFold
from edgecnn_training.network_training import NetworkTraining
from edgecnn_training.networks.network import build_network
from edgecnn_training.recipes import get_recipe
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.stopwatch import Stopwatch

# Above this a difference in which images are right is one of chance (McNemar's exact test).
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Tried:
    """A candidate, and what its folds say."""

    candidate: Candidate
    image_set: ImageSet
    out_of_fold: OutOfFold
    evaluation: Evaluation
    parameters: int

    @property
    def merit(self) -> tuple[float, float, int]:
        """What the candidates are ordered by: balanced accuracy; of equal ones certainty, then size."""
        return round(self.evaluation.balanced_accuracy, 4), -self.evaluation.loss, -self.parameters

    def document(self) -> dict[str, Any]:
        """Return the entry of `candidates.json`."""
        return {
            "recipe": self.candidate.recipe,
            "shape": list(self.candidate.shape),
            "parameters": self.parameters,
            **self.evaluation.document(),
        }


def try_candidates(
    plan: Plan,
    image_set_of: Callable[[Candidate], ImageSet],
    folder: RunFolder,
    *,
    devices: Devices,
    watch: Stopwatch,
    report: Callable[[Candidate], ReportProgress],
    report_features: FeatureReport | None = None,
) -> list[Tried]:
    """Train the folds of all candidates; return them, the best first.

    Args:
        plan: the candidates.
        image_set_of: prepares the images for one.
        folder: of the run; what is finished is kept there, for a run that is resumed.
        devices: what is computed on.
        watch: of the run.
        report: called after each step and each epoch.
        report_features: called while images go through a frozen base.

    Raises:
        DataError: no class has two different images.
        GateError: a training diverged.
        OSError: a file cannot be written.
    """
    tried = []
    for candidate in plan.candidates:
        image_set = image_set_of(candidate)
        training = NetworkTraining(
            get_recipe(candidate.recipe),
            image_set,
            RunOrigin(candidate.recipe, str(image_set.folder), image_set.fingerprint, candidate.settings),
            devices,
            watch,
            FeatureCache(report_features),
        )
        parameters = build_network(keras, training.recipe, len(image_set.labels), shape=candidate.shape).count_params()
        place = RunFolder(folder.checkpoints / candidate.recipe.replace(":", "-"))
        out_of_fold = training.out_of_fold(
            _compared_on(candidate, image_set),
            folder=place,
            report=report(candidate),
            folds=plan.folds,
            only=plan.compared_on,
        )
        evaluation = evaluate(out_of_fold.probabilities, out_of_fold.images.labels, image_set.labels)
        tried.append(Tried(candidate, image_set, out_of_fold, evaluation, parameters))
    tried.sort(key=lambda each: each.merit, reverse=True)
    return tried


def write_candidates(folder: RunFolder, tried: Sequence[Tried]) -> None:
    """Write `candidates.json`: what the folds say of each candidate, the one that was kept first."""
    write_json(folder.candidates, [each.document() for each in tried])


def told_apart(best: Tried, other: Tried) -> bool:
    """Whether the images suffice to tell that one candidate is better than another."""
    right = [each.out_of_fold.probabilities.argmax(axis=1) == each.out_of_fold.images.labels for each in (best, other)]
    return mcnemar(int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))) < _SIGNIFICANT


def _compared_on(candidate: Candidate, image_set: ImageSet) -> Portion:
    """Return the images of the folds: all that the model is trained on, or where validation images are kept, these."""
    if candidate.settings.folds:
        return Division.keeping_none(image_set).divide(image_set)[0]
    return candidate.settings.division_of(image_set).divide(image_set)[0]
