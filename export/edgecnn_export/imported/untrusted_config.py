"""Look through the configuration of a Keras model before Keras builds anything from it.

Keras's own safe mode refuses Lambda layers, in legacy files only since its latest versions, and imports any module of
Keras that a file names. What is refused here is refused for every format, and by the name of the layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn_runtime.errors import ModelError

# Layers that hold code, or run what is in another file.
_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer"})
# Layers that read a vocabulary from a path or an address in the configuration. No image classifier needs them.
_FILES = frozenset({"StringLookup", "IntegerLookup", "TextVectorization", "Hashing"})

# What the TensorFlow Model Optimization Toolkit, tfmot, puts into a model, and what to give in its place.
_PRUNING = "the pruning of tfmot", "save what tfmot.sparsity.keras.strip_pruning(model) returns"
_CLUSTERING = "the clustering of tfmot", "save what tfmot.clustering.keras.strip_clustering(model) returns"
_QUANTIZATION_AWARE = (
    "quantization-aware training by tfmot",
    "give the float model that quantize_model() was called with; --qat trains it for int8 here, on the images in the "
    "class folders of --calibration-data",
)
# Its layers, which legacy files name without a module.
_OPTIMIZING = {
    "PruneLowMagnitude": _PRUNING,
    "ClusterWeights": _CLUSTERING,
    **dict.fromkeys(
        ("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2", "QuantizeAwareActivation"), _QUANTIZATION_AWARE
    ),
}

# The only policies for the numbers of a layer that are no quantization of Keras 3.
_FLOAT_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy"})

# Of the operations that tf.keras writes for `a + b` or `tf.nn.relu(a)`: the parts of TensorFlow that only compute.
_OPERATION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"})
_OPERATIONS = (
    "__operators__.", "math.", "nn.", "compat.v1.math.", "compat.v1.nn.", "keras.activations.", "keras.backend.",
    "reshape", "concat", "cast", "clip_by_value", "expand_dims", "squeeze", "identity", "transpose", "pad", "split",
)  # fmt: skip

_PACKAGES = frozenset({"keras", "keras_core", "tf_keras", "builtins"})
# Where a function that a layer calls may come from; other parts of Keras read files and addresses.
_FUNCTIONS = frozenset({"activations", "constraints", "initializers", "regularizers", "builtins"})


@dataclass(frozen=True)
class _Part:
    """One object that a configuration describes."""

    kind: str  # its class
    module: str
    name: str  # of the layer, or of the layer it belongs to
    function: str  # that an operation layer calls
    policy: str  # of its numbers, where that is one by name


def check_config(config: Any, path: Path) -> None:
    """Refuse a configuration that names code, a file to read, or a class that is not Keras's own.

    Args:
        config: the parsed JSON.
        path: the file it comes from, for the message.

    Raises:
        ModelError: naming the layer.
    """
    if isinstance(config, dict):
        # Loss and metrics of the model itself, which are never read; those of a model within it are.
        config = {key: value for key, value in config.items() if key != "compile_config"}
    for part in _parts(config):
        if part.kind in _CODE:
            raise ModelError(
                f"{path}: expected layers without code of their own, got the {part.kind} layer {part.name!r}, "
                "which could run anything; save the model with a layer of Keras in its place"
            )
        if part.kind in _FILES:
            raise ModelError(
                f"{path}: expected layers that read no files, got the {part.kind} layer {part.name!r}; "
                "save the model without it"
            )
        if part.kind in _OPERATION_LAYERS and not part.function.startswith(_OPERATIONS):
            raise ModelError(
                f"{path}: expected operations that only compute, got {part.function!r} in the layer {part.name!r}; "
                "save the model without it"
            )
        quantized = part.kind.endswith("DTypePolicy") and part.kind not in _FLOAT_POLICIES
        if quantized or "_from_" in part.policy:
            raise ModelError(
                f"{path}: expected a float model, got the layer {part.name!r} with weights that model.quantize() has "
                "rounded; give the model as it was before, and --int8"
            )
        if part.kind in _OPTIMIZING:
            what, instead = _OPTIMIZING[part.kind]
            raise ModelError(f"{path}: expected a plain float model, got {part.name!r} of {what}; {instead}")
        if part.kind == "function" and _FUNCTIONS.isdisjoint(part.module.split(".")):
            raise ModelError(
                f"{path}: expected activations of Keras, got a function of {part.module} in the layer {part.name!r}; "
                "save the model without it"
            )
        if part.module.partition(".")[0] not in _PACKAGES:
            raise ModelError(
                f"{path}: expected layers that Keras ships, got {part.name!r}, a {part.kind} of {part.module}, whose "
                "code is not in the file; save the model without it, or as a SavedModel with model.export()"
            )


def optimization_of(node: str, operator: str) -> tuple[str, str] | None:
    """Tell which of tfmot's layers an operator of a SavedModel comes from: what that is, and what to give instead.

    Args:
        node: its name, "sequential/cluster_dense/Abs".
        operator: its kind.
    """
    if operator.startswith("FakeQuant"):
        return _QUANTIZATION_AWARE
    prefixes = {"cluster_": _CLUSTERING, "prune_low_magnitude_": _PRUNING}
    return next((known for prefix, known in prefixes.items() if f"/{prefix}" in node), None)


def _parts(config: Any) -> Iterator[_Part]:
    """Find every described object, however deep; the layer around it gives its name to what has none."""
    waiting: list[tuple[Any, str]] = [(config, "")]
    while waiting:
        value, name = waiting.pop()
        if isinstance(value, list):
            waiting += [(inner, name) for inner in value]
        elif isinstance(value, dict):
            inner = value.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                name = inner["name"]
            if isinstance(value.get("class_name"), str):
                yield _part(value, name)
            waiting += [(inner, name) for inner in value.values()]


def _part(value: dict[str, Any], name: str) -> _Part:
    # Where Keras registered a class for a user, `registered_name` is "package>class", whatever the module says.
    registered = value.get("registered_name")
    package = registered.partition(">")[0] if isinstance(registered, str) and ">" in registered else ""
    package = "" if package in ("keras", "Keras", "tf_keras") else package
    module = value.get("module")
    if "module" in value and module is None and isinstance(registered, str):
        module = "its author"  # of a class in the script that saved the model
    inner = value.get("config")
    function, dtype = (inner.get(key) if isinstance(inner, dict) else None for key in ("function", "dtype"))
    return _Part(
        kind=value["class_name"],
        module=package or (module if isinstance(module, str) else "keras"),
        name=name or value["class_name"],
        function=function if isinstance(function, str) else "",
        policy=dtype if isinstance(dtype, str) else "",
    )
