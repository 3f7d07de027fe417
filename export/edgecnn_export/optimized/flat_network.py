"""A network as a plain list of layers and weights, with no network inside another: what both processes read and write.

The model-optimization toolkit cannot look into a model inside a model, and tf_keras cannot read Keras 3's files. A flat
network is what both sides of the process border understand.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.json_dataclasses import read_dataclass, read_object

# The name of the input, which no layer has.
PIXELS = "pixels"

Weights = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class FlatLayer:
    """One layer, and which layers' outputs it takes."""

    name: str
    kind: str  # the class, such as "Conv2D"
    config: Mapping[str, Any]
    inputs: tuple[str, ...]  # names of layers, or PIXELS
    weights: Weights = ()
    # It is not to learn: the batch norm of a frozen base, which keeps its statistics.
    frozen: bool = False

    def with_config(self, **changes: Any) -> "FlatLayer":
        """Return the layer with other options."""
        return dataclasses.replace(self, config={**self.config, **changes})


@dataclass(frozen=True)
class FlatNetwork:
    """Layers in the order in which they are called; the last one's output is the network's."""

    shape: tuple[int, int, int]  # of an image
    layers: tuple[FlatLayer, ...]

    @property
    def weights(self) -> dict[str, Weights]:
        """The weights by layer, of those that have some."""
        return {layer.name: layer.weights for layer in self.layers if layer.weights}

    def with_weights(self, weights: Mapping[str, Weights]) -> "FlatNetwork":
        """Return the network with the weights of some layers replaced."""
        return dataclasses.replace(
            self,
            layers=tuple(
                dataclasses.replace(layer, weights=weights.get(layer.name, layer.weights)) for layer in self.layers
            ),
        )

    def consumers(self, name: str) -> list[FlatLayer]:
        """Return the layers that take a layer's output."""
        return [layer for layer in self.layers if name in layer.inputs]

    def write(self, folder: Path) -> None:
        """Write `network.json` and `weights.npz`."""
        layers = [{key: value for key, value in vars(layer).items() if key != "weights"} for layer in self.layers]
        (folder / "network.json").write_text(json.dumps({"shape": self.shape, "layers": layers}), encoding="utf-8")
        write_weights(folder / "weights.npz", self.weights)

    @classmethod
    def read(cls, folder: Path) -> "FlatNetwork":
        """Read what `write` wrote."""
        document = read_object(folder / "network.json", name="network.json")
        network = read_dataclass(cls, document, name="network.json")
        return network.with_weights(read_weights(folder / "weights.npz"))


def write_weights(path: Path, weights: Mapping[str, Weights]) -> None:
    """Write weights by layer; the keys of the file are `<position>/<name>`."""
    arrays = {f"{position}/{name}": array for name, each in weights.items() for position, array in enumerate(each)}
    np.savez(path, allow_pickle=False, **arrays)


def read_weights(path: Path) -> dict[str, Weights]:
    """Read what `write_weights` wrote."""
    weights: dict[str, Weights] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            name = key.partition("/")[2]
            weights[name] = (*weights.get(name, ()), arrays[key])
    return weights
