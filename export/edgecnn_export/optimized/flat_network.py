"""The trained network as a plain list of layers and weights, with no network inside another.

The model-optimization toolkit cannot look into a model inside a model, and tf_keras cannot read Keras 3's files. A flat
network is what both sides of the process border understand.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.json_dataclasses import parse_object, read_dataclass

if TYPE_CHECKING:
    import keras

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
        document = parse_object((folder / "network.json").read_bytes(), name="network.json")
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


def flatten(model: "keras.Model") -> FlatNetwork:
    """Flatten a trained model, networks inside it included.

    Args:
        model: functional or sequential; one input, one output.

    Raises:
        InputError: a layer that is called twice, code in place of a layer, or another number of inputs or outputs.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"{model.name}: expected a network with one input and one output, "
            f"got {len(model.inputs)} and {len(model.outputs)}"
        )
    _, height, width, channels = model.input_shape
    layers: list[FlatLayer] = []
    for name, layer, inputs, frozen in _calls(_copy_of(model)):
        weights = tuple(np.asarray(array, np.float32) for array in layer.get_weights())
        layers.append(FlatLayer(name, _kind(layer), _plain_config(name, layer), inputs, weights, frozen))
    return FlatNetwork((height, width, channels), tuple(layers))


def take_back(model: "keras.Model", weights: Mapping[str, Weights]) -> "keras.Model":
    """Return a copy of a model with the weights that came back, by the names that `flatten` gave."""
    copy = _copy_of(model)
    for name, layer, _, _ in _calls(copy):
        if name in weights:
            layer.set_weights(weights[name])
    # Once more, because calling the layers one by one has left its traces in them.
    return _copy_of(copy)


def _copy_of(model: "keras.Model") -> "keras.Model":
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _calls(model: "keras.Model") -> Iterator[tuple[str, Any, tuple[str, ...], bool]]:
    """Yield name, layer, inputs and whether it is frozen, in the order of the calls; the same for each equal model."""
    import keras

    calls: list[tuple[str, Any, tuple[str, ...], bool]] = []
    names: dict[int, str] = {}  # by the id of the tensor
    kept: list[Any] = []  # alive, so that no id is given twice
    seen: set[int] = set()

    def follow(layer: Any, *arguments: Any, frozen: bool, **options: Any) -> Any:
        frozen = frozen or options.get("training") is False
        if isinstance(layer, keras.Sequential):
            (tensor,) = arguments
            for inner in layer.layers:
                tensor = follow(inner, tensor, frozen=frozen)
            return tensor
        if isinstance(layer, keras.Model):
            (tensor,) = arguments
            # Also what `keras.models.clone_model` goes by; its own result, a new model, stands on other tensors.
            return layer._run_through_graph(tensor, operation_fn=_itself, call_fn=partial(follow, frozen=frozen))
        if not isinstance(layer, keras.layers.Layer):
            raise InputError(f"{layer.name}: expected a network of Keras layers, got the operation {_kind(layer)}")
        if id(layer) in seen:
            raise InputError(f"{layer.name} ({_kind(layer)}): expected a layer that is called once, got a shared one")
        seen.add(id(layer))
        tensors = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list | tuple) else arguments
        output = layer(*arguments, **options)
        name = layer.name.replace("/", "_")
        if name == PIXELS or any(name == taken for taken, *_ in calls):
            name = f"{name}_{len(calls)}"
        names[id(output)] = name
        kept.append(output)
        still = isinstance(layer, keras.layers.BatchNormalization) and (frozen or not layer.trainable)
        calls.append((name, layer, tuple(names[id(tensor)] for tensor in tensors), still))
        return output

    pixels = keras.Input(model.input_shape[1:])
    names[id(pixels)] = PIXELS
    follow(model, pixels, frozen=False)
    yield from calls


def _plain_config(name: str, layer: Any) -> dict[str, Any]:
    """Return the options of a layer as JSON has them."""
    try:
        config: dict[str, Any] = json.loads(json.dumps(layer.get_config(), default=np.ndarray.tolist))
    except (TypeError, NotImplementedError) as error:
        raise InputError(
            f"{name} ({_kind(layer)}): expected a layer with plain options, got one that cannot be written as JSON "
            f"({error}); export this model without --qat, --prune and --cluster"
        ) from error
    return config


def _itself(layer: Any) -> Any:
    return layer


def _kind(layer: Any) -> str:
    return type(layer).__name__
