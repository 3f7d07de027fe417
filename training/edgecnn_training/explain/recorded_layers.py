"""What each layer of a network, nested or not, reads and gives for one image."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of one layer. The tensors are the backend's own: the next layer reads the same object."""

    layer: Any
    read: Any  # the first of its inputs
    given: Any

    @property
    def output(self) -> NDArray[np.float32]:
        """Its output without the batch axis: `(height, width, channels)` or `(units,)`."""
        output: NDArray[np.float32] = np.asarray(self.given, np.float32)[0]
        return output


def record_layers(model: Any, pixels: NDArray[np.uint8]) -> tuple[LayerCall, ...]:
    """Run a Keras model on one image and record the calls of its layers, those of nested models too.

    Args:
        model: from pixels `(N, height, width, channels)`.
        pixels: uint8 `(height, width, channels)`.

    Returns:
        The calls in the order in which they ended; nested models themselves are left out.
    """
    calls: list[LayerCall] = []
    with contextlib.ExitStack() as stack:
        for layer in _leaves(model):
            stack.enter_context(_recorded(layer, calls))
        # Called, not predicted: a compiled function would run without the layers.
        model(pixels[np.newaxis].astype(np.float32), training=False)
    return tuple(calls)


def find_call(calls: tuple[LayerCall, ...], name: str) -> LayerCall:
    """Return the call of the layer of that name.

    Raises:
        InputError: there is no such layer.
    """
    for call in calls:
        if call.layer.name == name:
            return call
    raise InputError(not_among("layer", name, dict.fromkeys(call.layer.name for call in calls)))


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if getattr(layer, "layers", ()):
            yield from _leaves(layer)
        else:
            yield layer


@contextlib.contextmanager
def _recorded(layer: Any, calls: list[LayerCall]) -> Iterator[None]:
    """Let a layer note its calls while the block runs; Keras has no hooks for that."""
    original: Callable[..., Any] = layer.call

    def call(*args: Any, **kwargs: Any) -> Any:
        given = original(*args, **kwargs)
        read = args[0] if args else None
        calls.append(LayerCall(layer, read[0] if isinstance(read, list | tuple) else read, given))
        return given

    # On the instance, where it hides the method of the class until it is deleted again.
    layer.call = call
    try:
        yield
    finally:
        del layer.call
