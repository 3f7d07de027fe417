"""TFLite files, run by LiteRT (the package ai-edge-litert) or, where that has no wheel, by tflite-runtime."""

from collections.abc import Sequence
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
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.model_formats import ModelFile

if TYPE_CHECKING:
    from edgecnn_runtime.backends.adaptation import Adapt, Adaptation
    from edgecnn_runtime.backends.delegate import Delegate


def open_model(model: ModelFile, options: BackendOptions) -> "LiteRTBackend":
    """Open a TFLite file."""
    return LiteRTBackend(model, threads=options.threads, delegates=options.delegates, adapt=options.adapt)


def probe() -> list[str]:
    """Import the interpreter; it names no providers."""
    import_interpreter()
    return []


class LiteRTBackend:
    """One interpreter with a fixed batch of 1; a larger batch runs image by image.

    The reference kernels are slow, and those of TFLite-Micro: their integers are the same to the bit.
    """

    def __init__(
        self,
        model: Path | ModelFile,
        *,
        threads: int = 1,
        reference: bool = False,
        delegates: "Sequence[Delegate]" = (),
        adapt: "Adapt | None" = None,
    ) -> None:
        self.name, litert = import_interpreter()
        self._model = model = ModelFile.of(model)
        self._path = path = model.path
        self._threads, self._reference, self._delegates = threads, reference, tuple(delegates)
        self.manifest_json = model.manifest
        options = {"experimental_op_resolver_type": litert.OpResolverType.BUILTIN_REF} if reference else {}
        if delegates:
            options["experimental_delegates"] = [delegate.load(litert) for delegate in delegates]
        try:
            interpreter = litert.Interpreter(model_content=model.content, num_threads=threads, **options)
            self._interpreter = interpreter
            self._adaptation: Adaptation | None = None
            if adapt is not None and self.manifest_json is None:
                self._adapt(adapt)
                self.provider = _provider(interpreter, self._delegates)
                return
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            # Our own errors are ValueErrors, too.
            if out_of_memory(error):
                raise MemoryError(f"{path}: LiteRT says: {error}") from error
            raise error if isinstance(error, InputError) else _not_whole(path, error) from error
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
        self.input_shape = image_shape(path, tuple(int(size) for size in inputs[0]["shape"]))
        self.classes = class_count(path, tuple(int(size) for size in outputs[0]["shape"]))
        self.provider = _provider(interpreter, self._delegates)
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._encode = pixel_encoder(path, _facts(inputs[0]))
        self._decode = probability_decoder(path, _facts(outputs[0]))

    def _adapt(self, adapt: "Adapt") -> None:
        """Take a third-party model's conventions in place of edgecnn's."""
        from edgecnn_runtime.backends.adaptation import Interface

        interpreter = self._interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self._input = inputs[0]["index"] if inputs else 0
        interface = Interface(tuple(map(_facts, inputs)), tuple(map(_facts, outputs)), batches=False)
        adaptation = adapt(interface, self._probe)
        self._allocate(adaptation.tensor_shape)
        self._adaptation = adaptation
        self._output = outputs[adaptation.output]["index"]
        self.input_shape, self.classes = adaptation.input_shape, adaptation.classes
        self._encode = adaptation.encode
        if adaptation.batch in (None, 1):
            self._decode = adaptation.decode
        else:
            self._decode = lambda output: adaptation.decode(output)[:1]

    def _probe(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        self._allocate(tensor.shape)
        self._invoke(tensor)
        interpreter = self._interpreter
        return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]

    def _allocate(self, shape: tuple[int, ...]) -> None:
        """Prepare the interpreter for an input of a shape, unless it is prepared for that."""
        interpreter = self._interpreter
        if tuple(interpreter.get_input_details()[0]["shape"]) != shape:
            interpreter.resize_tensor_input(self._input, shape)
        interpreter.allocate_tensors()

    def _invoke(self, values: NDArray[Any]) -> None:
        """Run the graph on one input tensor, as if it were the first.

        The state of an LSTM outlives a run, and would let one image change the answer to the next. To forget it takes
        a microsecond, less than to find out at each start whether there is one.
        """
        self._interpreter.reset_all_variables()
        self._interpreter.set_tensor(self._input, values)
        self._interpreter.invoke()

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        if len(pixels) == 1:
            return self._infer_one(pixels)
        rows = np.empty((len(pixels), self.classes), np.float32)
        for index in range(len(pixels)):
            rows[index] = self._infer_one(pixels[index : index + 1])
        return rows

    def _infer_one(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            self._invoke(pixels if self._encode is None else self._encode(pixels))
            output = self._interpreter.get_tensor(self._output)
        except (ValueError, RuntimeError) as error:
            if out_of_memory(error):
                raise MemoryError(f"{self._path}: LiteRT says: {error}") from error
            raise ModelError(f"{self._path}: expected a model that runs; LiteRT says: {error}") from error
        probabilities: NDArray[np.float32] = output if self._decode is None else self._decode(output)
        return probabilities

    def another(self) -> "LiteRTBackend":
        """Make another interpreter; they share the bytes of the file."""
        adaptation = self._adaptation
        return LiteRTBackend(
            self._model,
            threads=self._threads,
            reference=self._reference,
            delegates=self._delegates,
            adapt=None if adaptation is None else lambda *_: adaptation,
        )

    def after_fork(self) -> "LiteRTBackend":
        """Make another interpreter."""
        return self.another()


def import_interpreter() -> tuple[str, Any]:
    """Return the name and the module of the interpreter that is installed; both packages have the same interface.

    Raises:
        MissingExtraError: neither is.
    """
    try:
        from ai_edge_litert import interpreter as litert

        return "litert", litert
    except ImportError as error:
        try:
            from tflite_runtime import interpreter as tflite_runtime
        except ImportError:
            raise ENGINES["litert"].missing(Provider.CPU) from error
        return "tflite-runtime", tflite_runtime


def _not_whole(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path}: expected a whole TFLite file; LiteRT says: {error}")


def _facts(details: dict[str, Any]) -> TensorFacts:
    """Describe a tensor; an open size is -1 in its signature."""
    scales, zeros = details["quantization_parameters"]["scales"], details["quantization_parameters"]["zero_points"]
    signature = details.get("shape_signature", details["shape"])
    sizes = signature if len(signature) == len(details["shape"]) else details["shape"]
    return TensorFacts(
        name=details["name"],
        shape=tuple(None if size < 0 else int(size) for size in sizes),
        dtype=np.dtype(details["dtype"]).name,
        scale=float(scales[0]) if len(scales) == 1 and scales[0] > 0 else None,
        zero_point=int(zeros[0]) if len(zeros) == 1 else 0,
    )


def _provider(interpreter: Any, delegates: "Sequence[Delegate]") -> str | None:
    """Tell what took over operators; LiteRT says so only in its list of operators, which is not public."""
    try:
        operators = [operator["op_name"] for operator in interpreter._get_ops_details()]
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        return None
    if "DELEGATE" not in operators:
        return "built-in kernels"
    return ", ".join(delegate.library for delegate in delegates) or "XNNPACK"
