"""Run the steps on what `optimize.py` wrote into a folder, given as the argument.

Progress is printed as JSON lines; the results are `optimized.npz` and `outcome.json`. What a user can mend is written
as `error.json`.
"""

import dataclasses
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np


def main(folder: Path) -> int:
    """Run all steps; return the exit code."""
    from edgecnn_runtime.errors import EdgecnnError

    try:
        _optimize(folder)
    except EdgecnnError as error:
        failure = {"kind": type(error).__name__, "message": str(error)}
        (folder / "error.json").write_text(json.dumps(failure), encoding="utf-8")
        return error.exit_code
    return 0


def _optimize(folder: Path) -> None:
    import tf_keras

    from edgecnn_export.optimized.flat_network import FlatNetwork, write_weights
    from edgecnn_export.optimized.plan import OptimizedStep, Outcome, Plan
    from edgecnn_export.optimized.tf_keras_process.clustering import cluster
    from edgecnn_export.optimized.tf_keras_process.fine_tuning import FineTuningData, TrainingArrays, accuracy_of
    from edgecnn_export.optimized.tf_keras_process.pruning import prune
    from edgecnn_export.optimized.tf_keras_process.quantization import quantize
    from edgecnn_export.optimized.tf_keras_process.tf_keras_model import build_tf_keras_model, require_equal
    from edgecnn_export.optimized.trainable import with_biases_before_frozen_norms
    from edgecnn_runtime.json_dataclasses import read_dataclass

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    plan = read_dataclass(Plan, job["plan"], name="job.json: plan")
    tf_keras.utils.set_random_seed(plan.seed)

    def portion(name: str) -> TrainingArrays:
        images = np.load(job[name]["images"], mmap_mode="r", allow_pickle=False)
        labels, positions = (np.load(folder / f"{name}.{part}.npy") for part in ("labels", "positions"))
        return TrainingArrays(images, labels, positions)

    material = FineTuningData(portion("training"), portion("validation"))
    rewritten = with_biases_before_frozen_norms(FlatNetwork.read(folder))
    network = rewritten.network
    expected = np.load(folder / "expected.npy")
    tf_keras_model = build_tf_keras_model(network)
    require_equal(tf_keras_model, material.validation.read(0, len(expected))[0], expected)

    steps: list[OptimizedStep] = []
    before = accuracy_of(tf_keras_model, material.validation)
    for step in plan.steps:
        started = time.perf_counter()
        network, accuracy, epoch = {"prune": prune, "cluster": cluster, "qat": quantize}[step](network, material, plan)
        steps.append(OptimizedStep(step, before, accuracy, epoch, time.perf_counter() - started))
        before = accuracy
    write_weights(folder / "optimized.npz", rewritten.way_back(network.weights))
    outcome = dataclasses.asdict(Outcome(plan.optimization, tuple(steps)))
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    # Before TensorFlow is imported anywhere: `tf.keras` is then tf_keras.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    warnings.simplefilter("ignore")
    sys.exit(main(Path(sys.argv[1])))
