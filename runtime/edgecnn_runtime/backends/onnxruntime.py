"""ONNX files, run by ONNX Runtime on the CPU or, with onnxruntime-gpu, by CUDA or TensorRT."""

import contextlib
import io
from collections.abc import Callable
from functools import partial
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
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.manifest import ONNX_KEY
from edgecnn_runtime.model_files.onnx_file import weight_files
from edgecnn_runtime.model_formats import ModelFile, file_identity

if TYPE_CHECKING:
    from edgecnn_runtime.backends.adaptation import Adapt, Adaptation

# Images of one run of the session: the memory for activations grows with it, the speed no longer does.
_BATCH = 32
_ERROR_LEVEL, _FATAL_LEVEL = 3, 4  # of ONNX Runtime's logger: 0 verbose … 4 fatal

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# In the order in which ONNX Runtime offers them the operators; what one does not know goes to the next.
_PROVIDERS = {
    Provider.CPU: (_CPU,),
    Provider.CUDA: (_CUDA, _CPU),
    Provider.TENSORRT: ("TensorrtExecutionProvider", _CUDA, _CPU),
}
# One Identity: a provider that was built in may still miss its libraries or its GPU, so each is given a graph.
_IDENTITY = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="


def open_model(model: ModelFile, options: BackendOptions) -> "OnnxBackend":
    """Open an ONNX file."""
    return OnnxBackend(
        model,
        threads=options.threads,
        provider=options.provider,
        allow_fallback=options.allow_fallback,
        adapt=options.adapt,
    )


def probe() -> list[str]:
    """Import ONNX Runtime and give each of its providers a graph."""
    import base64

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_LEVEL

    def loads(name: str) -> bool:
        try:
            session = onnxruntime.InferenceSession(base64.b64decode(_IDENTITY), options, providers=[name])
        except Exception:
            return False
        return bool(session.get_providers()[0] == name)

    names = onnxruntime.get_available_providers()
    if _CUDA in names:
        _load_cuda(onnxruntime)
    return [name if loads(name) else f"{name} (built in, does not load)" for name in names]


class OnnxBackend:
    """One ONNX Runtime session; its runs are thread-safe, so all threads share it."""

    name = "onnxruntime"

    def __init__(
        self,
        model: Path | ModelFile,
        *,
        threads: int = 1,
        provider: Provider = Provider.CPU,
        allow_fallback: bool = False,
        adapt: "Adapt | None" = None,
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ENGINES["onnxruntime"].missing(provider) from error
        model = ModelFile.of(model)
        path = model.path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A provider that is not there is an error of ours; ONNX Runtime would log it as well.
        options.log_severity_level = _ERROR_LEVEL if provider is Provider.CPU else _FATAL_LEVEL
        wanted = _available(onnxruntime, provider, allow_fallback=allow_fallback)
        # What ONNX Runtime prints of a GPU that it cannot use would stand in the middle of a command's answer.
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said) if _CUDA in wanted else contextlib.nullcontext():
                if _CUDA in wanted:
                    _load_cuda(onnxruntime)
                weights = _take_weights(model, options)
                # A session of bytes keeps them as long as it lives. Only one that may fall back to the CPU in a run,
                # and then reads its model again, has to.
                falls_back = allow_fallback and provider is not Provider.CPU
                source = model.content if falls_back else str(path)
                session = onnxruntime.InferenceSession(source, options, providers=list(wanted))
        # ONNX Runtime's own exceptions derive from Exception only.
        except Exception as error:
            if out_of_memory(error):
                raise MemoryError(f"{path}: ONNX Runtime says: {error}") from error
            raise ModelError(f"{path}: expected a whole ONNX file; ONNX Runtime says: {error}") from error
        del weights
        if not falls_back:
            model.check_unchanged()
        # ONNX Runtime goes on with the next provider where the libraries of one do not load.
        self.provider: str | None = session.get_providers()[0]
        if self.provider != _PROVIDERS[provider][0] and not allow_fallback:
            raise InputError(
                f"--provider {provider}: expected {_PROVIDERS[provider][0]} to take the model, got {self.provider}; "
                f"its libraries or its GPU are missing{_reason(said.getvalue())}; 'edgecnn doctor' looks for them, "
                "--allow-fallback takes the CPU instead"
            )
        if not allow_fallback:
            session.disable_fallback()  # to the CPU, when a GPU fails in a run
        self._path, self._session, self._batch = path, session, _BATCH
        self._place, self._identities = path.absolute(), _identities(model)
        self._again = partial(OnnxBackend, threads=threads, provider=provider, allow_fallback=allow_fallback)
        self._adaptation: Adaptation | None = None
        self._encode: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None
        self._decode: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None
        try:
            text = session.get_modelmeta().custom_metadata_map.get(ONNX_KEY)
        except UnicodeDecodeError as error:
            raise ModelError(f"{path}: expected a whole ONNX file, got text in it that is not UTF-8") from error
        self.manifest_json = None if text is None else text.encode()
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if adapt is not None and self.manifest_json is None:
            self._adapt(adapt, inputs, outputs)
            return
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
        if inputs[0].type not in _DTYPES or outputs[0].type != "tensor(float)":
            raise ModelError(
                f"{path}: expected input {' or '.join(_DTYPES)} and output tensor(float), "
                f"got {inputs[0].type} and {outputs[0].type}"
            )
        self.input_shape = image_shape(path, tuple(inputs[0].shape))
        self.classes = class_count(path, tuple(outputs[0].shape))
        self._input, self._outputs = inputs[0].name, [outputs[0].name]
        self._dtype = _DTYPES[inputs[0].type]

    def _adapt(self, adapt: "Adapt", inputs: list[Any], outputs: list[Any]) -> None:
        """Take a third-party model's conventions in place of edgecnn's."""
        from edgecnn_runtime.backends.adaptation import Interface

        self._input = inputs[0].name if inputs else ""
        names = [output.name for output in outputs]

        def probe(tensor: NDArray[Any]) -> list[NDArray[Any]]:
            try:
                return [np.asarray(output) for output in self._session.run(names, {self._input: tensor})]
            except Exception as error:
                raise ModelError(f"expected a model that runs; ONNX Runtime says: {error}") from error

        adaptation = adapt(Interface(tuple(map(_facts, inputs)), tuple(map(_facts, outputs))), probe)
        self._adaptation = adaptation
        self.input_shape, self.classes = adaptation.input_shape, adaptation.classes
        self._outputs = [names[adaptation.output]]
        self._batch = adaptation.batch or _BATCH
        self._encode, self._decode = adaptation.encode, adaptation.decode

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run uint8 pixels `(N, height, width, channels)`, 0…255; return probabilities `(N, classes)`."""
        if len(pixels) <= self._batch:
            return self._run(pixels)
        step = self._batch
        return np.concatenate([self._run(pixels[start : start + step]) for start in range(0, len(pixels), step)])

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = pixels.astype(self._dtype, copy=False) if self._encode is None else self._encode(pixels)
        try:
            output = self._session.run(self._outputs, {self._input: values})[0]
        except Exception as error:
            if out_of_memory(error):
                raise MemoryError(f"{self._path}: ONNX Runtime says: {error}") from error
            raise ModelError(f"{self._path}: expected a model that runs; ONNX Runtime says: {error}") from error
        # A fixed batch gives more rows than there are images.
        probabilities: NDArray[np.float32] = output if self._decode is None else self._decode(output)[: len(pixels)]
        return probabilities

    def another(self) -> "OnnxBackend":
        """Return this session, which several threads may use at once."""
        return self

    def after_fork(self) -> "OnnxBackend":
        """Open the file again, which must be the same: the session kept no copy of it."""
        try:
            model = ModelFile.read(self._place)
            unchanged = _identities(model) == self._identities
        except (ModelError, OSError):
            unchanged = False
        if not unchanged:
            raise ModelError(
                f"{self._path}: expected the file as it was when it was opened, got another or none; the process was "
                "forked since, and ONNX Runtime has to open it again; open the model in the child process"
            )
        adaptation = self._adaptation
        return self._again(model, adapt=None if adaptation is None else lambda *_: adaptation)


def _identities(model: ModelFile) -> list[tuple[int, ...]]:
    """Return what no other model in the place of this one shares, with the weights beside it."""
    return [model.identity, *(file_identity(part.stat()) for part in weight_files(model.path, model.content).values())]


def _take_weights(model: ModelFile, options: Any) -> list[bytes]:
    """Give a session copies of the weights that lie beside a model; it would map them, see `ModelFile`.

    Returns:
        The copies, which the session reads while it is made, and does not keep alive.
    """
    files = weight_files(model.path, model.content)
    take = getattr(options, "add_external_initializers_from_files_in_memory", None)  # not in early releases
    if take is None or not files:
        return []
    contents = [part.read_bytes() for part in files.values()]
    take(list(files), contents, list(map(len, contents)))
    return contents


def _available(onnxruntime: Any, provider: Provider, *, allow_fallback: bool) -> tuple[str, ...]:
    """Return the providers to ask for.

    Raises:
        InputError: what was asked for is not in this build of ONNX Runtime, and the CPU will not do.
    """
    available = onnxruntime.get_available_providers()
    wanted = _PROVIDERS[provider]
    if wanted[0] not in available and not allow_fallback:
        raise InputError(
            f"--provider {provider}: expected an ONNX Runtime with {wanted[0]}, got one with {', '.join(available)}; "
            'run: pip uninstall -y onnxruntime && pip install "edgecnn[onnx-gpu]", or take the CPU with '
            "--allow-fallback"
        )
    return tuple(name for name in wanted if name in available)


def _load_cuda(onnxruntime: Any) -> None:
    """Load CUDA and cuDNN from NVIDIA's Python packages, where the system's loader does not look for them."""
    if hasattr(onnxruntime, "preload_dlls"):  # since 1.21
        onnxruntime.preload_dlls()


def _reason(said: str) -> str:
    """Find, in what ONNX Runtime printed, the first library that is missing, or what CUDA complains of."""
    import re

    found = re.search(r"Failed to load [^\n]*|CUDA failure [^;\n]*", said)
    return f" ({found[0].strip()})" if found else ""


def _facts(value: Any) -> TensorFacts:
    """Describe an input or output; an open size is a name or None."""
    dtype = value.type.removeprefix("tensor(").removesuffix(")")
    return TensorFacts(
        name=value.name,
        shape=tuple(size if isinstance(size, int) and size >= 0 else None for size in value.shape),
        dtype={"float": "float32", "double": "float64"}.get(dtype, dtype),
    )


_DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
