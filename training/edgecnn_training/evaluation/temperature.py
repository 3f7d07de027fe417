"""Temperature scaling: a network's certainty as images it was not trained on bear it out.

A network that knows its training images by heart is as certain of others, and wrongly so. Its logits are divided by one
number, the temperature, which leaves each answer as it is (C. Guo et al., arXiv:1706.04599, section 4.2).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.networks.network import core

# Never below 1: a handful of images that are all right would make the network certain of everything.
_LEAST, _MOST = 1.0, 20.0
_SMALLEST_PROBABILITY = 1e-12


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature at which the cross-entropy is least, each class counting the same.

    Args:
        probabilities: `(N, classes)`, of images that the network was not trained on.
        labels: `(N,)`, their class numbers.
    """
    from scipy.optimize import minimize_scalar

    logits = _logits(probabilities)
    weights = 1 / np.bincount(labels)[labels]
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        highest = scaled.max(axis=1)
        normalizers = highest + np.log(np.exp(scaled - highest[:, np.newaxis]).sum(axis=1))
        return float(np.average(normalizers - scaled[rows, labels], weights=weights))

    found = minimize_scalar(loss, bounds=(np.log(_LEAST), np.log(_MOST)), method="bounded")
    return 1.0 if loss(0.0) <= found.fun else float(np.exp(found.x))


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return what probabilities `(N, classes)` become at a temperature."""
    scaled = np.exp(_logits(probabilities) / temperature)
    normalized: NDArray[np.float64] = scaled / scaled.sum(axis=1, keepdims=True)
    return normalized.astype(np.float32)


def temper(network: Any, temperature: float) -> None:
    """Divide the logits of a network of `build_network` by a temperature, in the weights of its last layer."""
    last = next(layer for layer in reversed(core(network).layers) if layer.weights)
    last.set_weights([weights / temperature for weights in last.get_weights()])


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST_PROBABILITY))
