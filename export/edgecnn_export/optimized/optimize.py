"""Optimize a trained model in a subprocess, and take its weights back."""

import dataclasses
import json
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.optimized.flat_network import PIXELS, FlatLayer, FlatNetwork, Weights, read_weights
from edgecnn_export.optimized.plan import Outcome, Plan
from edgecnn_runtime.errors import DataError, EdgecnnError, GateError, InputError, MissingExtraError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.system.own_process import run_python
from edgecnn_runtime.workstation.division import Portion

if TYPE_CHECKING:
    import keras

# Images on which the tf_keras model must give what the Keras model gives.
_COMPARED = 16

# Called with the step's name and how much of it is done, 0…1.
ReportEpoch = Callable[[str, float], object]


def ignored(step: str, share: float) -> None:
    """Report to nobody."""
    del step, share


@dataclass(frozen=True)
class Optimized:
    """An optimized model."""

    model: "keras.Model"  # the same network with the weights that came back
    outcome: Outcome


def optimize(
    model: "keras.Model",
    training: Portion,
    validation: Portion,
    plan: Plan,
    *,
    report: ReportEpoch = ignored,
) -> Optimized:
    """Prune, cluster and train quantization-aware, in this order, whatever of it the plan asks for.

    Args:
        model: float32 pixels 0…255 in, probabilities out; it stays as it is.
        training: what the steps learn from.
        validation: what tells their best epochs.
        plan: the steps.
        report: told the progress.

    Raises:
        InputError: a layer that cannot be optimized.
        MissingExtraError: tf_keras or tensorflow-model-optimization is not installed.
        GateError: the process died, or the training diverged.
    """
    _require_toolkit()
    compared = replace(validation, positions=validation.positions[:_COMPARED])
    expected = np.asarray(model(compared.images.astype(np.float32), training=False))
    with tempfile.TemporaryDirectory(prefix="edgecnn-optimize-") as name:
        folder = Path(name)
        flatten(model).write(folder)
        np.save(folder / "expected.npy", expected)
        job = {"plan": dataclasses.asdict(plan)}
        for role, portion in (("training", training), ("validation", validation)):
            job[role] = {"images": str(_array_file(portion.split.images, folder / f"{role}.images.npy"))}
            np.save(folder / f"{role}.labels.npy", portion.split.labels)
            np.save(folder / f"{role}.positions.npy", portion.positions)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _run(folder, plan, report)
        outcome = read_object(folder / "outcome.json", name="outcome.json")
        return Optimized(
            model=take_back(model, read_weights(folder / "optimized.npz")),
            outcome=read_dataclass(Outcome, outcome, name="outcome.json"),
        )


def _require_toolkit() -> None:
    for module, package in (
        ("tf_keras", "tf-keras"),
        ("tensorflow_model_optimization", "tensorflow-model-optimization"),
    ):
        if util.find_spec(module) is None:
            raise MissingExtraError("--qat, --prune and --cluster", package=package, extra="export")


def _array_file(images: NDArray[np.uint8], path: Path) -> Path:
    """Return the file that an array is mapped from as a whole, or write it."""
    if isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap) and images.filename is not None:
        return Path(images.filename).resolve()
    np.save(path, images)
    return path


def _run(folder: Path, plan: Plan, report: ReportEpoch) -> None:
    """Run the worker to its end, passing on its progress."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    step = plan.steps[0]

    def on_line(line: str) -> None:
        nonlocal step
        if line.startswith("{"):
            progress = json.loads(line)
            step = progress["step"]
            report(step, _share(progress))

    module = "edgecnn_export.optimized.tf_keras_process"
    ended = run_python("-m", module, str(folder), timeout=None, on_line=on_line, environment=environment)
    failure = folder / "error.json"
    if failure.exists():
        raise _error(json.loads(failure.read_text(encoding="utf-8")))
    if ended.reason:
        raise GateError(
            f"{step}: expected the process that optimizes to run to its end, got {ended.reason}; nothing was exported"
        )


def _share(progress: Mapping[str, int]) -> float:
    done = (progress["epoch"] - 1) * progress["batches"] + progress["batch"]
    return done / (progress["epochs"] * progress["batches"])


def _error(failure: Mapping[str, str]) -> EdgecnnError:
    kinds: dict[str, type[EdgecnnError]] = {"GateError": GateError, "DataError": DataError}
    return kinds.get(failure["kind"], InputError)(failure["message"])


@dataclass(frozen=True)
class _Call:
    """A layer of a model, and which layers' outputs it takes."""

    name: str
    layer: Any
    inputs: tuple[str, ...]
    frozen: bool

    def flat(self) -> FlatLayer:
        weights = tuple(np.asarray(array, np.float32) for array in self.layer.get_weights())
        config = _plain_config(self.name, self.layer)
        return FlatLayer(self.name, _kind(self.layer), config, self.inputs, weights, self.frozen)


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
    return FlatNetwork(tuple(model.input_shape[1:]), tuple(call.flat() for call in _calls(_copy_of(model))))


def take_back(model: "keras.Model", weights: Mapping[str, Weights]) -> "keras.Model":
    """Return a copy of a model with the weights that came back, by the names that `flatten` gave."""
    model = _copy_of(model)
    for call in _calls(model):
        if call.name in weights:
            call.layer.set_weights(weights[call.name])
    # Once more, because calling the layers one by one has left its traces in them.
    return _copy_of(model)


def _copy_of(model: "keras.Model") -> "keras.Model":
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _calls(model: "keras.Model") -> list[_Call]:
    """Return the calls of the layers in their order; the same for each equal model."""
    import keras

    calls: list[_Call] = []
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
        if name == PIXELS or any(name == call.name for call in calls):
            name = f"{name}_{len(calls)}"
        names[id(output)] = name
        kept.append(output)
        still = isinstance(layer, keras.layers.BatchNormalization) and (frozen or not layer.trainable)
        calls.append(_Call(name, layer, tuple(names[id(tensor)] for tensor in tensors), still))
        return output

    pixels = keras.Input(model.input_shape[1:])
    names[id(pixels)] = PIXELS
    follow(model, pixels, frozen=False)
    return calls


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
