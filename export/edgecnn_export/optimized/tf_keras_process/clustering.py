"""Clustering: each layer keeps a few distinct weights, which learn together."""

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as preserving

from edgecnn_export.optimized.flat_network import FlatNetwork
from edgecnn_export.optimized.plan import Plan
from edgecnn_export.optimized.tf_keras_process.fine_tuning import FineTuningData, fine_tune
from edgecnn_export.optimized.tf_keras_process.pruning import network_of
from edgecnn_export.optimized.tf_keras_process.tf_keras_model import build_tf_keras_model
from edgecnn_runtime.accuracy import Accuracy


def cluster(network: FlatNetwork, material: FineTuningData, plan: Plan) -> tuple[FlatNetwork, Accuracy, int]:
    """Leave the kernels of all convolutions and dense layers with the plan's number of distinct weights each.

    What was pruned stays zero, which is one of the distinct weights. Depthwise kernels are left as they are (tfmot
    holds the loss there for beyond repair), and so is a layer that has no more distinct weights anyway.

    Returns:
        The network, its accuracy on the validation images, and the epoch that was best.
    """
    clusters = plan.optimization.clusters
    assert clusters is not None

    def wrapped(layer: Any) -> Any:
        if not isinstance(layer, tf_keras.layers.Conv2D | tf_keras.layers.Dense):
            return layer
        if len(np.unique(layer.kernel)) <= clusters:
            return layer
        return preserving.cluster_weights(
            layer,
            number_of_clusters=clusters,
            cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
            preserve_sparsity=plan.optimization.sparsity is not None,
        )

    model = tf_keras.models.clone_model(build_tf_keras_model(network), clone_function=wrapped)
    accuracy, epoch = fine_tune(model, material, plan, step="cluster")
    return network_of(tfmot.clustering.keras.strip_clustering(model), network), accuracy, epoch
