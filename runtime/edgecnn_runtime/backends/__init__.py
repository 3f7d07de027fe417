"""The engines a model can run on, behind one small protocol.

No engine is imported here: each file imports its own when a model is opened, so that a device needs only the one it
uses and `import edgecnn_runtime` stays as light as numpy.

    engines         the row of each engine: formats, packages, providers
    interface       what an engine's file implements
    adaptation      what it needs for a third-party model
    litert, onnxruntime, openvino   the engines; fake, the one for tests
    stored_tensors  what a quantized input and output store
    delegate        TFLite delegates
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.backends.engines import Engine, engine_for, engines_of
from edgecnn_runtime.backends.interface import Backend, BackendOptions, Provider
from edgecnn_runtime.errors import InputError, MissingExtraError
from edgecnn_runtime.model_formats import MODEL_FORMATS, ModelFile, format_of

if TYPE_CHECKING:
    from edgecnn_runtime.backends.adaptation import Adapt
    from edgecnn_runtime.backends.delegate import Delegate

__all__ = ["Backend", "Provider", "open_backend"]


def open_backend(
    model: Path | ModelFile,
    *,
    engine: str | None = None,
    threads: int = 1,
    provider: Provider = Provider.CPU,
    allow_fallback: bool = False,
    delegates: "Sequence[Delegate]" = (),
    adapt: "Adapt | None" = None,
) -> Backend:
    """Open a model file with the engine that is asked for, or the first for its format that is installed.

    Args:
        model: a file of one of `MODEL_FORMATS`, read or not.
        engine: a name in `ENGINES`; None: the first that is installed and takes the options.
        threads: threads within one inference.
        provider: the hardware to compute on.
        allow_fallback: whether the CPU will do where `provider` is not there.
        delegates: of TFLite, tried in this order.
        adapt: decides how a file without a manifest of edgecnn is used; None: as an exported one.

    Raises:
        ModelError: missing, of another format, damaged, or not an image classifier.
        InputError: an engine, a provider or a delegate that is not there, or not of this format.
        MissingExtraError: the engine is not installed, or none for this format is.
    """
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    model = ModelFile.of(model)
    path, model_format = model.path, format_of(model.path)
    options = BackendOptions(
        threads=threads,
        provider=provider,
        allow_fallback=allow_fallback,
        delegates=tuple(delegates),
        adapt=adapt,
    )
    missing: MissingExtraError | None = None
    engines = engines_of(model_format.name) if engine is None else (engine_for(engine, model_format.name, str(path)),)
    for candidate in engines:
        if candidate.refuses(options) is None:
            try:
                return candidate.file().open_model(model, options)
            except MissingExtraError as error:
                missing = missing or error
    if missing is None and engine is not None:
        option = engines[0].refuses(options)
        raise InputError(f"{option}: expected an engine that takes it, got --engine {engine}; leave one of them out")
    raise missing or InputError(_refusal(path, engines[0], options))


def _refusal(path: Path, engine: Engine, options: BackendOptions) -> str:
    """Say which files an option is for, and what the engine of this one takes in its place."""
    option = engine.refuses(options)
    taking = [
        other.suffix
        for other in MODEL_FORMATS.values()
        if any(candidate.refuses(options) != option for candidate in engines_of(other.name))
    ]
    instead = "--delegate" if engine.takes_delegates else "--provider" if len(engine.providers) > 1 else None
    advice = f"{engine.title} takes a {instead}" if instead else "leave it out"
    return f"{option}: expected a model file ({' or '.join(taking)}), got {path}; {advice}"
