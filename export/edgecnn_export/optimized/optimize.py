"""Optimize a trained model in a subprocess, and take its weights back."""

import dataclasses
import json
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.optimized.flat_network import flatten, read_weights, take_back
from edgecnn_export.optimized.plan import Plan
from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import DataError, EdgecnnError, GateError, InputError, MissingExtraError
from edgecnn_runtime.json_dataclasses import parse_object, read_dataclass
from edgecnn_runtime.manifest import Optimization
from edgecnn_runtime.system.own_process import run_python
from edgecnn_runtime.workstation.division import Portion

if TYPE_CHECKING:
    import keras

# Images on which the tf_keras model must give what the Keras model gives.
_COMPARED = 16

# Called with the step's name and how much of it is done, 0…1.
ReportEpoch = Callable[[str, float], object]


def ignored(step: str, share: float) -> None:
    """Report to nobody."""
    del step, share


@dataclass(frozen=True)
class OptimizedStep:
    """What one step cost: accuracy on the validation images before and after."""

    name: str  # "prune", "cluster" or "qat"
    before: Accuracy
    after: Accuracy  # of "qat": with the rounding of int8
    best_epoch: int  # 0 where the network was best before it learnt
    seconds: float

    def to_document(self) -> dict[str, Any]:
        """Return the entry for `export.json`."""
        return {
            "step": self.name,
            "validation_before": self.before.to_document(),
            "validation_after": self.after.to_document(),
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True)
class Outcome:
    """What was done to a model, and what it cost."""

    optimization: Optimization
    steps: tuple[OptimizedStep, ...]
    # Of the Keras model with the weights that came back, on the test split, where that was measured.
    accuracy: Accuracy | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the entry for `export.json`."""
        return {
            **dataclasses.asdict(self.optimization),
            "steps": [step.to_document() for step in self.steps],
            "accuracy_keras_optimized": self.accuracy and self.accuracy.to_document(),
        }


@dataclass(frozen=True)
class Optimized:
    """An optimized model."""

    model: "keras.Model"  # the same network with the weights that came back
    outcome: Outcome


def quantization_aware(
    model: "keras.Model",
    training: Portion,
    validation: Portion,
    *,
    epochs: int = 3,
    batch_size: int = 32,
    seed: int = 0,
    report: ReportEpoch = ignored,
) -> Optimized:
    """Train a model on with the rounding of int8; `optimize` with a plan of this one step."""
    plan = Plan(Optimization(quantization_aware=True, epochs=epochs), epochs=epochs, batch_size=batch_size, seed=seed)
    return optimize(model, training, validation, plan, report=report)


def optimize(
    model: "keras.Model",
    training: Portion,
    validation: Portion,
    plan: Plan,
    *,
    report: ReportEpoch = ignored,
) -> Optimized:
    """Prune, cluster and train quantization-aware, in this order, whatever of it the plan asks for.

    Args:
        model: float32 pixels 0…255 in, probabilities out; it stays as it is.
        training: what the steps learn from.
        validation: what tells their best epochs.
        plan: the steps.
        report: told the progress.

    Raises:
        InputError: a layer that cannot be optimized.
        MissingExtraError: tf_keras or tensorflow-model-optimization is not installed.
        GateError: the process died, or the training diverged.
    """
    _require_toolkit()
    network = flatten(model)
    first = validation.positions[:_COMPARED]
    expected = np.asarray(model(validation.split.images[first].astype(np.float32), training=False))
    with tempfile.TemporaryDirectory(prefix="edgecnn-optimize-") as name:
        folder = Path(name)
        network.write(folder)
        np.save(folder / "expected.npy", expected)
        job = {"plan": dataclasses.asdict(plan)}
        for role, portion in (("training", training), ("validation", validation)):
            job[role] = {"images": str(_array_file(portion.split.images, folder / f"{role}.images.npy"))}
            np.save(folder / f"{role}.labels.npy", portion.split.labels)
            np.save(folder / f"{role}.positions.npy", portion.positions)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _run(folder, plan, report)
        outcome = parse_object((folder / "outcome.json").read_bytes(), name="outcome.json")
        return Optimized(
            model=take_back(model, read_weights(folder / "optimized.npz")),
            outcome=read_dataclass(Outcome, outcome, name="outcome.json"),
        )


def _require_toolkit() -> None:
    for module, package in (
        ("tf_keras", "tf-keras"),
        ("tensorflow_model_optimization", "tensorflow-model-optimization"),
    ):
        if util.find_spec(module) is None:
            raise MissingExtraError("--qat, --prune and --cluster", package=package, extra="export")


def _array_file(images: NDArray[np.uint8], path: Path) -> Path:
    """Return the file that an array is mapped from as a whole, or write it."""
    if isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap) and images.filename is not None:
        return Path(images.filename).resolve()
    np.save(path, images)
    return path


def _run(folder: Path, plan: Plan, report: ReportEpoch) -> None:
    """Run the worker to its end, passing on its progress."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    step = plan.steps[0]

    def on_line(line: str) -> None:
        nonlocal step
        if line.startswith("{"):
            progress = json.loads(line)
            step = progress["step"]
            report(step, _share(progress))

    module = "edgecnn_export.optimized.tf_keras_process"
    ended = run_python("-m", module, str(folder), timeout=None, on_line=on_line, environment=environment)
    failure = folder / "error.json"
    if failure.exists():
        raise _error(json.loads(failure.read_text(encoding="utf-8")))
    if ended.reason:
        raise GateError(
            f"{step}: expected the process that optimizes to run to its end, got {ended.reason}; nothing was exported"
        )


def _share(progress: Mapping[str, int]) -> float:
    done = (progress["epoch"] - 1) * progress["batches"] + progress["batch"]
    return done / (progress["epochs"] * progress["batches"])


def _error(failure: Mapping[str, str]) -> EdgecnnError:
    kinds: dict[str, type[EdgecnnError]] = {"GateError": GateError, "DataError": DataError}
    return kinds.get(failure["kind"], InputError)(failure["message"])
