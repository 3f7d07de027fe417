"""The statistics of batch normalization, taken from the training images rather than from the last steps.

While it trains, a batch norm divides by the deviation of its batch, and keeps a moving average for later. In few steps
that average never forgets where it began: on 31 images a network answered wrongly nearly everywhere that had learnt
everything. So the images go through the network once more, its weights as they are (Y. Wu, J. Johnson, "Rethinking
'Batch' in BatchNorm", arXiv:2105.07576, section 3, "precise batch norm").
"""

from typing import Any

import keras
import numpy as np

from edgecnn_training.batches import Batches


class BatchNormStatistics:
    """The batch norms of a network whose statistics can be computed anew."""

    def __init__(self, network: Any) -> None:
        """Find them: those of a frozen base never change, and stay as they are."""
        self._network = network
        self._norms = [layer for layer in _layers_within(network) if hasattr(layer, "moving_variance")]
        self._forward: Any = None

    def recompute(self, images: Batches) -> None:
        """Give each batch norm the mean and the variance of what it sees of these images, each batch by its size."""
        if not self._norms:
            return
        momenta = [norm.momentum for norm in self._norms]
        sums = [[np.zeros(norm.moving_mean.shape), np.zeros(norm.moving_mean.shape)] for norm in self._norms]
        count = 0
        for norm in self._norms:
            norm.momentum = 0.0  # what they keep is then that of the last batch
        try:
            for index in range(len(images)):
                pixels, _ = images[index]
                self._run(pixels)
                count += len(pixels)
                for norm, (values, squares) in zip(self._norms, sums, strict=True):
                    mean, variance = (
                        np.asarray(keras.ops.convert_to_numpy(each), np.float64)
                        for each in (norm.moving_mean, norm.moving_variance)
                    )
                    values += len(pixels) * mean
                    squares += len(pixels) * (variance + mean**2)
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum
        for norm, (values, squares) in zip(self._norms, sums, strict=True):
            mean = values / count
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(np.maximum(squares / count - mean**2, 0))

    def _run(self, pixels: Any) -> None:
        if self._forward is None:
            self._forward = self._compiled()
        self._forward(pixels)

    def _compiled(self) -> Any:
        """Return what runs the network as in training; compiled while the batch norms keep the last batch only."""
        if keras.backend.backend() != "tensorflow":
            return lambda pixels: self._network(pixels, training=True)
        import tensorflow as tf

        return tf.function(lambda pixels: self._network(pixels, training=True), reduce_retracing=True)


def _layers_within(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False, recursive=True))
