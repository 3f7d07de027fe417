"""TFLite and ONNX files, run by OpenVINO on the CPU."""

import copy
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.backends.interface import (
    BackendOptions,
    Provider,
    TensorFacts,
    class_count,
    image_shape,
    out_of_memory,
)
from edgecnn_runtime.backends.stored_tensors import pixel_encoder, probability_decoder
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.model_files.graph_facts import GraphFacts
from edgecnn_runtime.model_formats import ModelFile

if TYPE_CHECKING:
    from edgecnn_runtime.backends.adaptation import Adapt, Adaptation

_DEVICE = "CPU"
# The package's converter: nothing of it is needed here, and its import, a part of openvino's own, writes an identifier
# of the device into the home folder and sends an event.
_KEPT_OUT = ("openvino.tools.ovc", "openvino_telemetry")
# How a graph is compiled: for the threads and the numbers that were asked for. No cache folder is among them, so that
# OpenVINO writes none.
PROPERTIES = {
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    # Of two threads for one core, OpenVINO would leave out one.
    "ENABLE_HYPER_THREADING": True,
    # Pinned, the models of several threads would all compute on the first processor.
    "ENABLE_CPU_PINNING": False,
    # By default it computes in bfloat16 or float16 where the processor has them, and rounds what goes into layers with
    # int8 weights.
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}
# The process that has started OpenVINO; one that was forked from it finds it here, too.
_STARTED_BY: set[int] = set()


def open_model(model: ModelFile, options: BackendOptions) -> "OpenVinoBackend":
    """Open a TFLite or ONNX file."""
    return OpenVinoBackend(model, threads=options.threads, adapt=options.adapt)


def probe() -> list[str]:
    """Import OpenVINO and return its devices; the backend computes on the CPU."""
    return [str(device) for device in import_openvino().Core().available_devices]


class OpenVinoBackend:
    """One compiled graph for one image at a time; of several images each is an inference.

    OpenVINO compiles a graph with an open batch again for each number of images that it has not met.
    """

    name = "openvino"

    def __init__(self, model: Path | ModelFile, *, threads: int = 1, adapt: "Adapt | None" = None) -> None:
        model = ModelFile.of(model)
        self._path = path = model.path
        self._threads = threads
        self._core = _core(path)
        self.manifest_json = model.manifest
        self._adaptation: Adaptation | None = None
        self._shape: tuple[int, ...] | None = None
        self._encode: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None
        self._decode: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None
        try:
            self._model = self._core.read_model(str(path))
        # Its C++ exceptions become several of Python's.
        except Exception as error:
            raise self._refused("a file that OpenVINO reads", error) from error
        model.check_unchanged()
        # OpenVINO keeps the integers of a TFLite file and does not tell what they mean.
        facts = model.facts()
        inputs = [_facts(port, facts) for port in self._model.inputs]
        outputs = [_facts(port, facts) for port in self._model.outputs]
        if adapt is not None and self.manifest_json is None:
            self._adapt(adapt, inputs, outputs)
        else:
            self._take(inputs, outputs)
        self.provider: str | None = _DEVICE

    def _take(self, inputs: list[TensorFacts], outputs: list[TensorFacts]) -> None:
        """Take the model as one that edgecnn exported."""
        path = self._path
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
        self.input_shape = image_shape(path, inputs[0].shape or ())
        self.classes = class_count(path, outputs[0].shape or ())
        self._output = 0
        # Bytes without a scale are the pixels, as in an ONNX file; floats are made of them when the tensor is filled.
        plain = inputs[0].dtype == "float32" or (inputs[0].dtype == "uint8" and inputs[0].scale is None)
        self._encode = None if plain else pixel_encoder(path, inputs[0])
        self._decode = probability_decoder(path, outputs[0])
        self._compile((1, *self.input_shape))

    def _adapt(self, adapt: "Adapt", inputs: list[TensorFacts], outputs: list[TensorFacts]) -> None:
        """Take a third-party model's conventions in place of edgecnn's."""
        from edgecnn_runtime.backends.adaptation import Interface

        adaptation = adapt(Interface(tuple(inputs), tuple(outputs), batches=False), self._probe)
        self._compile(adaptation.tensor_shape)
        self._adaptation, self._output = adaptation, adaptation.output
        self.input_shape, self.classes = adaptation.input_shape, adaptation.classes
        self._encode = adaptation.encode
        # A fixed batch gives more rows than there are images.
        self._decode = lambda output: adaptation.decode(output)[:1]

    def _probe(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        self._compile(tensor.shape)
        self._run(tensor)
        return [self._request.get_output_tensor(number).data.copy() for number in range(len(self._model.outputs))]

    def _compile(self, shape: tuple[int, ...]) -> None:
        """Compile the graph for an input of a shape, unless it is compiled for that."""
        if shape == self._shape:
            return
        port = self._model.input(0)
        try:
            if port.partial_shape.is_dynamic or tuple(port.partial_shape.to_shape()) != shape:
                self._model.reshape(list(shape))
            properties = {**PROPERTIES, "INFERENCE_NUM_THREADS": self._threads}
            compiled = self._core.compile_model(self._model, _DEVICE, properties)
            self._request = compiled.create_infer_request()
            self._has_state = bool(self._request.query_state())
            self._tensor = self._request.get_input_tensor(0)
            # Writing into it is the way to OpenVINO with the least work.
            self._values = self._tensor.data
        except Exception as error:
            raise self._refused("a model that runs", error) from error
        self._shape = shape

    def _run(self, values: NDArray[Any]) -> None:
        try:
            if self._has_state:
                self._request.reset_state()  # of an LSTM, which would let one image change the answer to the next
            self._values[...] = values
            self._request.infer(share_outputs=True)
        except Exception as error:
            raise self._refused("a model that runs", error) from error

    def _refused(self, expected: str, error: Exception) -> Exception:
        """Say what OpenVINO says, whose last line is the reason and whose others are places in its source."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        if out_of_memory(error):
            return MemoryError(f"{self._path}: OpenVINO says: {reason}")
        return ModelError(f"{self._path}: expected {expected}; OpenVINO says: {reason}")

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        if len(pixels) == 1:
            return self._infer_one(pixels)
        rows = np.empty((len(pixels), self.classes), np.float32)
        for index in range(len(pixels)):
            rows[index] = self._infer_one(pixels[index : index + 1])
        return rows

    def _infer_one(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._run(pixels if self._encode is None else self._encode(pixels))
        output: NDArray[Any] = self._request.get_output_tensor(self._output).data
        # The next inference writes into the same memory.
        return output.copy() if self._decode is None else self._decode(output.copy())

    def another(self) -> "OpenVinoBackend":
        """Compile the graph once more: one compiled graph computes for one thread at a time."""
        other = copy.copy(self)
        other._shape = None
        other._compile(self._shape or ())
        return other

    def after_fork(self) -> "OpenVinoBackend":
        """Refuse: OpenVINO's threads are gone in the new process, and it would wait for them for ever."""
        raise _forked(self._path)


def _core(path: Path) -> Any:
    """Start OpenVINO for a model file.

    Raises:
        ModelError: the process was forked from one that had started it.
        MissingExtraError: it is not installed.
    """
    openvino = import_openvino()
    if _STARTED_BY and os.getpid() not in _STARTED_BY:
        raise _forked(path)
    _STARTED_BY.add(os.getpid())
    core = openvino.Core()
    # See `ModelFile`.
    core.set_property({"ENABLE_MMAP": False})
    return core


def _forked(path: Path) -> ModelError:
    return ModelError(
        f"{path}: expected a process that was not forked from one that has used OpenVINO, which does not survive that; "
        "start processes with the method 'spawn' or 'forkserver', or take another engine"
    )


def import_openvino() -> Any:
    """Import OpenVINO, and nothing of it that tells Intel so.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with _kept_out():
            import openvino
    except ImportError as error:
        raise ENGINES["openvino"].missing(Provider.CPU) from error
    return openvino


@contextmanager
def _kept_out() -> Iterator[None]:
    """Let the import of some modules fail, which openvino allows for; a program that wants them imports them later."""
    absent = [name for name in _KEPT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def _facts(port: Any, facts: GraphFacts) -> TensorFacts:
    """Describe an input or output; of its names, the one that the file has."""
    shape = port.partial_shape
    names = sorted(port.names)
    known = {*facts.last_operators, *facts.quantization}
    name = next((name for name in names if name in known), names[0] if names else "")
    scale, zero_point = facts.quantization.get(name, (None, 0))
    return TensorFacts(
        name=name,
        shape=None
        if shape.rank.is_dynamic
        else tuple(None if size.is_dynamic else int(size.get_length()) for size in shape),
        dtype=_dtype(port.element_type),
        scale=scale,
        zero_point=zero_point,
    )


def _dtype(element_type: Any) -> str:
    """Name a type as numpy does, or as OpenVINO does where numpy has none."""
    try:
        return str(np.dtype(element_type.to_dtype()).name)
    except (RuntimeError, TypeError, ValueError):
        return str(element_type.get_type_name())
