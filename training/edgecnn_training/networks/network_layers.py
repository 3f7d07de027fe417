"""The layers of a Keras model as rows, those of nested models with them."""

from collections.abc import Iterator, Sequence
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

    @property
    def shape_text(self) -> str:
        """The shape in words: "N × 28 × 28 × 1"."""
        return " × ".join("N" if size is None else str(size) for size in self.shape)

    @property
    def parameters_text(self) -> str:
        """The parameters in words; a star says that they are frozen."""
        return (f"{self.parameters:,}" if self.parameters else "–") + (" *" if self.frozen else "")


def layer_rows(model: Any) -> tuple[LayerRow, ...]:
    """List the layers of a built functional or sequential Keras model, in the order in which it was put together."""
    return tuple(_rows(model, depth=0))


def parameters_in_words(rows: Sequence[LayerRow]) -> str:
    """Say how many parameters a network has, and how many of them are frozen."""
    total = sum(row.parameters for row in rows if row.depth == 0)
    frozen = sum(row.parameters for row in rows if row.frozen and not row.nested)
    return f"{total:,} parameters" + (f", {total - frozen:,} trained, {frozen:,} frozen *" if frozen else "")


def network_summary(model: Any) -> str:
    """Return the layers of a Keras model as text: what each does, its output, its parameters, what it reads."""
    rows = layer_rows(model)
    table = [
        ("layer", "name", "output", "parameters", "reads"),
        *(
            ("  " * row.depth + row.kind, row.name, row.shape_text, row.parameters_text, ", ".join(row.inputs))
            for row in rows
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        f"{kind:<{widths[0]}}  {name:<{widths[1]}}  {shape:>{widths[2]}}  {count:>{widths[3]}}  {inputs}".rstrip()
        for kind, name, shape, count, inputs in table
    ]
    return "\n".join([f"{model.name}: {parameters_in_words(rows)}", "", *lines, ""])


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
