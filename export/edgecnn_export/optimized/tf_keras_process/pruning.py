"""Pruning: the smallest weights become zero, little by little, while the others learn."""

from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from edgecnn_export.optimized.flat_network import FlatNetwork
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.optimized.tf_keras_process.fine_tuning import FineTuningData, fine_tune
from edgecnn_export.optimized.tf_keras_process.tf_keras_model import build_tf_keras_model
from edgecnn_runtime.accuracy import Accuracy

# The masks are drawn this often until the sparsity is reached.
_DRAWINGS = 20


def prune(network: FlatNetwork, material: FineTuningData, plan: Plan) -> tuple[FlatNetwork, Accuracy, int]:
    """Prune the kernels of all convolutions and dense layers to the plan's sparsity.

    The sparsity is reached an epoch before the end (Zhu and Gupta, "To prune, or not to prune", arXiv:1710.01878, as
    tfmot's PolynomialDecay has it); only epochs that have it can be the best. Depthwise kernels, few as they are, stay:
    tfmot does not prune them.

    Returns:
        The network, its accuracy on the validation images, and the epoch that was best.
    """
    assert plan.optimization.sparsity is not None
    an_epoch = -(-len(material.training) // plan.batch_size)
    until = an_epoch * (plan.epochs - 1) or max(1, an_epoch // 2)
    frequency = max(1, until // _DRAWINGS)
    until -= until % frequency  # the last drawing, which reaches the sparsity, is at `until` itself
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, plan.optimization.sparsity, 0, until, frequency=frequency)

    def wrapped(layer: Any) -> Any:
        if isinstance(layer, tf_keras.layers.Conv2D | tf_keras.layers.Dense):
            return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)
        return layer

    model = tf_keras.models.clone_model(build_tf_keras_model(network), clone_function=wrapped)
    accuracy, epoch = fine_tune(
        model,
        material,
        plan,
        step="prune",
        callbacks=(tfmot.sparsity.keras.UpdatePruningStep(),),
        first=max(1, plan.epochs - 1),
    )
    return network_of(tfmot.sparsity.keras.strip_pruning(model), network), accuracy, epoch


def network_of(model: Any, network: FlatNetwork) -> FlatNetwork:
    """Return a flat network with the weights of a tf_keras model of the same layer names."""
    return network.with_weights({name: tuple(model.get_layer(name).get_weights()) for name in network.weights})
