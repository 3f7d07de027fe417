"""What a network answers, logits or probabilities, and the layers that make probabilities of it."""

import enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError

if TYPE_CHECKING:
    import keras


class OutputKind(enum.StrEnum):
    """The form of a network's output."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


# How far probabilities may sum up to something else than 1.
_TOLERANCE = 1e-3
_SOFTMAX, _SIGMOID = "softmax", "sigmoid"
# Layers that leave the values as they are.
_PASSING = frozenset({"Dropout", "Flatten", "Reshape", "InputLayer"})


def answers_of(network: "keras.Model", outcome: NDArray[np.float32]) -> tuple[OutputKind, str]:
    """Find out what a network answers: by its last activation or, where that does not tell, by what comes out.

    Args:
        network: one output `(N, classes)`, or `(N, 1)` for two classes.
        outcome: what it gives for some real images, `(N, classes)` or `(N, 1)`.

    Returns:
        The form, and in words how it was told.

    Raises:
        InputError: it cannot be told, or the outputs are several labels per image.
    """
    layer, activation = _last_activation(network)
    units = outcome.shape[1]
    if activation == _SOFTMAX and units > 1:
        return OutputKind.PROBABILITIES, f"the last layer, {layer}, is a softmax"
    if activation == _SIGMOID:
        if units == 1:
            return OutputKind.PROBABILITIES, f"the last layer, {layer}, is a sigmoid"
        raise InputError(
            f"output: expected classes that exclude one another, got {units} sigmoid units ({layer}), as for several "
            "labels per image; --output-is probabilities takes the largest as the class all the same"
        )
    if activation == "linear":
        return OutputKind.LOGITS, f"the last layer, {layer}, has no activation"
    within = bool((outcome >= 0).all() and (outcome <= 1).all())
    if not within:
        return OutputKind.LOGITS, f"on real images it gives values from {outcome.min():.3g} to {outcome.max():.3g}"
    if units > 1 and np.abs(outcome.sum(axis=1) - 1).max() <= _TOLERANCE:
        return OutputKind.PROBABILITIES, "on real images its outputs are in 0…1 and sum up to 1"
    raise InputError(
        f"output: expected a softmax, a sigmoid or no activation at the end, got {layer} with values from "
        f"{outcome.min():.3g} to {outcome.max():.3g}, which may be either; say --output-is logits or "
        "--output-is probabilities"
    )


def probabilities(outcome: Any, answers: OutputKind) -> Any:
    """Make probabilities `(N, classes)` of a network's Keras tensor, named `probabilities`.

    One unit is that of the second of two classes: `[1 - p, p]`.
    """
    from keras import layers

    single = outcome.shape[-1] == 1
    if answers is OutputKind.LOGITS:
        kind = _SIGMOID if single else _SOFTMAX
        outcome = layers.Activation(kind, name=kind, dtype="float32")(outcome)
    if single:
        complement = layers.Rescaling(-1.0, offset=1.0, name="complement", dtype="float32")(outcome)
        return layers.Concatenate(name="probabilities", dtype="float32")([complement, outcome])
    # Changes nothing; it gives the output its name in every exported format.
    return layers.Activation("linear", name="probabilities", dtype="float32")(outcome)


def _last_activation(network: "keras.Model") -> tuple[str, str | None]:
    """Name the layer that gives the output, and its activation; None where it is no layer with one."""
    import keras

    layer = network.outputs[0]._keras_history.operation
    while type(layer).__name__ in _PASSING:
        layer = layer.input._keras_history.operation
    if isinstance(layer, keras.Model):
        return _last_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return layer.name, _SOFTMAX
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", None) if function is not None else None
    if function is None and isinstance(layer, keras.layers.Dense | keras.layers.GlobalAveragePooling2D):
        return layer.name, "linear"
    return layer.name, name
