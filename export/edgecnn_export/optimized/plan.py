"""What is to be done to the trained weights and how long, and what it cost: what the processes tell each other."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Optimization

# tfmot's quantizer for clustered weights looks for no more clusters than this.
_MOST_CLUSTERS = 1024

# The steps in order, and at what rate each begins. A network that loses most of its weights has to learn anew; the
# others only shift what is there.
LEARNING_RATES = {"prune": 1e-3, "cluster": 1e-4, "qat": 1e-4}


@dataclass(frozen=True)
class Plan:
    """The steps, and how each of them learns: Adam, its rate falling to nothing along half a cosine."""

    optimization: Optimization
    epochs: int = 3  # of each step
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"optimize-epochs: expected 1 or more, got {self.epochs}")

    @classmethod
    def of(
        cls,
        *,
        sparsity: float | None,
        clusters: int | None,
        quantization_aware: bool,
        epochs: int = 3,
        batch_size: int = 32,
        seed: int = 0,
    ) -> Self | None:
        """Make a plan from the options of the command line; None where nothing is to be done.

        Raises:
            InputError: a sparsity, number of clusters or of epochs that cannot be.
        """
        if sparsity is not None and not 0 < sparsity < 1:
            raise InputError(f"prune: expected a share of zero weights between 0 and 1, such as 0.8, got {sparsity:g}")
        if clusters is not None and not 2 <= clusters <= _MOST_CLUSTERS:
            raise InputError(f"cluster: expected 2…{_MOST_CLUSTERS} distinct weights a layer, got {clusters}")
        plan = cls(
            Optimization(sparsity, clusters, quantization_aware, epochs),
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
        )
        return plan if plan.optimization.variant else None

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        asked = {
            "prune": self.optimization.sparsity is not None,
            "cluster": self.optimization.clusters is not None,
            "qat": self.optimization.quantization_aware,
        }
        return tuple(name for name in LEARNING_RATES if asked[name])


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
