"""The layers of a Keras model as rows, those of nested models with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LayerRow:
    """One layer, or the head of a nested model."""

    name: str
    kind: str  # the class of the layer, with what distinguishes it: "Conv2D 3x3, relu"
    shape: tuple[int | None, ...]  # of its output, with the batch
    parameters: int  # of a nested model: of all its layers
    frozen: bool  # it has weights, and none is trained
    depth: int  # 0 for the layers of the model itself
    nested: bool  # the head of a nested model; its layers follow, one deeper
    inputs: tuple[str, ...]  # names of the layers it reads, where that is not just the one before


def layer_rows(model: Any) -> tuple[LayerRow, ...]:
    """List the layers of a built functional or sequential Keras model, in the order in which it was put together."""
    return tuple(_rows(model, depth=0))


def _rows(model: Any, *, depth: int) -> Iterator[LayerRow]:
    inputs = _inputs(model)
    before = ""
    for layer in model.layers:
        nested = bool(getattr(layer, "layers", ()))
        read = inputs.get(layer.name, ())
        yield LayerRow(
            name=layer.name,
            kind=layer_kind(layer),
            shape=_shape(layer),
            parameters=layer.count_params(),
            frozen=bool(layer.weights) and not layer.trainable_weights,
            depth=depth,
            nested=nested,
            inputs=() if read in ((), (before,)) else read,
        )
        if nested:
            yield from _rows(layer, depth=depth + 1)
        before = layer.name


def _inputs(model: Any) -> dict[str, tuple[str, ...]]:
    """Return the names of the layers that each layer reads; nothing for a sequential model, where it is plain.

    Keras says it only in the public form of a model's configuration.
    """
    layers = model.get_config().get("layers", ())
    return {
        layer["name"]: tuple(_histories(layer["inbound_nodes"][0])) for layer in layers if layer.get("inbound_nodes")
    }


def _histories(node: Any) -> Iterator[str]:
    """Find the layers whose outputs are mentioned in a serialised call."""
    if isinstance(node, dict):
        if "keras_history" in node:
            yield str(node["keras_history"][0])
        else:
            for value in node.values():
                yield from _histories(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _histories(value)


def _shape(layer: Any) -> tuple[int | None, ...]:
    return tuple(layer.output.shape)


def layer_kind(layer: Any) -> str:
    """Name a layer's class, its window and stride, and its activation.

    >>> import keras
    >>> layer_kind(keras.layers.Conv2D(8, (3, 5), strides=2, padding="same", activation="relu"))
    'Conv2D 3x5, stride 2, same, relu'
    """
    config = layer.get_config()
    window = config.get("kernel_size") or config.get("pool_size")
    words = [type(layer).__name__ + (f" {'x'.join(map(str, window))}" if window else "")]
    strides = config.get("strides")
    if strides and set(strides) != {1} and strides != config.get("pool_size"):
        words.append("stride " + "x".join(map(str, dict.fromkeys(strides))))
    if config.get("padding") == "same":
        words.append("same")
    activation = config.get("activation")
    if isinstance(activation, str) and (activation != "linear" or words == ["Activation"]):
        words.append(activation)
    elif isinstance(activation, dict):
        words.append(str(activation.get("class_name", "")))
    if isinstance(config.get("rate"), float):
        words.append(f"{config['rate']:g}")
    return ", ".join(words)
