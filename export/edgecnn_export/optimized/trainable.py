"""Rewrites of a flat network that make it fit for the steps; each knows how its weights come back."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgecnn_export.optimized.flat_network import FlatLayer, FlatNetwork, Weights

_WITH_KERNEL = ("Conv2D", "DepthwiseConv2D", "Dense")
_WITHOUT_EFFECT = ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout")

# The weights of the rewritten network, by layer, to those of the network as it was.
WayBack = Callable[[Mapping[str, Weights]], dict[str, Weights]]


@dataclass(frozen=True)
class Rewritten:
    """A network that computes the same, and how to bring back what it has learnt."""

    network: FlatNetwork
    way_back: WayBack

    def then(self, rewrite: "Callable[[FlatNetwork], Rewritten]") -> "Rewritten":
        """Apply another rewrite to the rewritten network."""
        later = rewrite(self.network)
        return Rewritten(later.network, lambda weights: self.way_back(later.way_back(weights)))


def unchanged(network: FlatNetwork) -> Rewritten:
    """Begin a chain of rewrites."""
    return Rewritten(network, dict)


def with_biases_before_frozen_norms(network: FlatNetwork) -> Rewritten:
    """Give a convolution before a frozen batch norm a bias, since nothing else there can learn an offset.

    A norm of a frozen base keeps its statistics, scale and offset. `gamma / sqrt(variance + epsilon)` times the bias
    is what its offset, beta, becomes when it comes back.
    """
    norms = {}  # by the convolution in front
    for norm in network.layers:
        front = _sole_front(network, norm)
        if not (norm.frozen and norm.kind == "BatchNormalization" and norm.config["center"]):
            continue
        if front is not None and front.kind in _WITH_KERNEL and not front.config["use_bias"]:
            norms[front.name] = norm

    def biased(layer: FlatLayer) -> FlatLayer:
        if layer.name not in norms:
            return layer
        bias = np.zeros_like(norms[layer.name].weights[-1])
        return dataclasses.replace(layer.with_config(use_bias=True), weights=(*layer.weights, bias))

    def way_back(weights: Mapping[str, Weights]) -> dict[str, Weights]:
        back = dict(weights)
        for name, norm in norms.items():
            *kernel, bias = weights[name]
            *scale, beta, mean, variance = weights[norm.name]
            factor = (scale[0] if scale else 1.0) / np.sqrt(variance + norm.config["epsilon"])
            back[name] = tuple(kernel)
            back[norm.name] = (*scale, beta + bias * factor, mean, variance)
        return back

    return Rewritten(_mapped(network, biased), way_back)


def without_dropout(network: FlatNetwork) -> Rewritten:
    """Leave out what does nothing on a device; dropout would also widen the ranges that are being learnt."""
    gone = {
        layer.name: layer.inputs[0]
        for layer in network.layers
        if layer.kind in _WITHOUT_EFFECT or (layer.kind == "Activation" and layer.config["activation"] == "linear")
    }
    return Rewritten(_without(network, gone), dict)


def with_fused_activations(network: FlatNetwork) -> Rewritten:
    """Make a ReLU or softmax behind a convolution or dense layer its own activation, as it is in TFLite.

    tfmot 0.8.1 would else leave the weights of a layer in front of a ReLU layer unquantized while it trains
    (`LayerReLUQuantize` in default_8bit_transforms.py gives that layer a NoOpQuantizeConfig).
    """
    gone: dict[str, str] = {}
    fused: dict[str, str] = {}
    for layer in network.layers:
        activation, front = _activation(layer), _sole_front(network, layer)
        if activation and front is not None and front.kind in _WITH_KERNEL and front.config["activation"] == "linear":
            gone[layer.name], fused[front.name] = front.name, activation

    def with_activation(layer: FlatLayer) -> FlatLayer:
        return layer.with_config(activation=fused[layer.name]) if layer.name in fused else layer

    return Rewritten(_without(_mapped(network, with_activation), gone), dict)


def with_softmax_head(network: FlatNetwork) -> Rewritten:
    """Make of one sigmoid unit p and `[1 - p, p]` behind it two units and a softmax: the same function.

    sigmoid(z) is the second value of softmax([0, z]); so the first unit starts with weights of zero, and what comes
    back is the difference of the two.
    """
    head = network.layers[-1]
    if head.kind != "Concatenate" or len(head.inputs) != 2:
        return unchanged(network)
    by_name = {layer.name: layer for layer in network.layers}
    complement, unit = by_name.get(head.inputs[0]), by_name.get(head.inputs[1])
    if complement is None or unit is None or unit.kind != "Dense" or complement.inputs != (unit.name,):
        return unchanged(network)
    if (unit.config["units"], unit.config["activation"]) != (1, "sigmoid") or complement.kind != "Rescaling":
        return unchanged(network)
    if (complement.config["scale"], complement.config["offset"]) != (-1.0, 1.0):
        return unchanged(network)

    def two_units(layer: FlatLayer) -> FlatLayer:
        if layer is not unit:
            return layer
        weights = tuple(np.concatenate([np.zeros_like(array), array], axis=-1) for array in unit.weights)
        return dataclasses.replace(layer.with_config(units=2, activation="softmax"), weights=weights)

    def way_back(weights: Mapping[str, Weights]) -> dict[str, Weights]:
        return {**weights, unit.name: tuple(array[..., 1:] - array[..., :1] for array in weights[unit.name])}

    gone = {complement.name: unit.name, head.name: unit.name}
    return Rewritten(_without(_mapped(network, two_units), gone), way_back)


def _activation(layer: FlatLayer) -> str | None:
    """Return the name of an activation that TFLite can fuse, where a layer is nothing else."""
    if layer.kind == "Activation" and layer.config["activation"] in ("relu", "softmax"):
        return str(layer.config["activation"])
    if layer.kind == "Softmax":
        return "softmax"
    plain = layer.kind == "ReLU" and layer.config["max_value"] is None
    return "relu" if plain and not layer.config["negative_slope"] and not layer.config["threshold"] else None


def _sole_front(network: FlatNetwork, layer: FlatLayer) -> FlatLayer | None:
    """Return the layer in front, where this one alone takes its output and takes nothing else."""
    if len(layer.inputs) != 1 or len(network.consumers(layer.inputs[0])) != 1:
        return None
    return next((front for front in network.layers if front.name == layer.inputs[0]), None)


def _mapped(network: FlatNetwork, change: Callable[[FlatLayer], FlatLayer]) -> FlatNetwork:
    return dataclasses.replace(network, layers=tuple(change(layer) for layer in network.layers))


def _without(network: FlatNetwork, gone: Mapping[str, str]) -> FlatNetwork:
    """Leave layers out; who took their output takes what `gone` says."""

    def source(name: str) -> str:
        while name in gone:
            name = gone[name]
        return name

    return dataclasses.replace(
        network,
        layers=tuple(
            dataclasses.replace(layer, inputs=tuple(source(name) for name in layer.inputs))
            for layer in network.layers
            if layer.name not in gone
        ),
    )
