"""The engines a model can run on, behind one small protocol.

No engine is imported here: each file imports its own when a model is opened, so that a device needs only the one it
uses and `import edgecnn_runtime` stays as light as numpy.

    engines         the row of each engine: formats, packages, providers
    interface       what an engine's file implements
    adaptation      what it needs for a third-party model
    litert, onnxruntime     the engines; fake, the one for tests
    delegate        TFLite delegates
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.backends.engines import engines_of
from edgecnn_runtime.backends.interface import Backend, BackendOptions, Provider
from edgecnn_runtime.errors import InputError, MissingExtraError, ModelError
from edgecnn_runtime.model_formats import MODEL_FORMATS, ModelFormat, format_of

if TYPE_CHECKING:
    from edgecnn_runtime.backends.adaptation import Adapt
    from edgecnn_runtime.backends.delegate import Delegate

__all__ = ["Backend", "Provider", "open_backend"]


def open_backend(
    path: Path,
    *,
    threads: int = 1,
    provider: Provider = Provider.CPU,
    allow_fallback: bool = False,
    delegates: "Sequence[Delegate]" = (),
    adapt: "Adapt | None" = None,
) -> Backend:
    """Open a model file with the first engine for its format that is installed and takes the options.

    Args:
        path: a file of one of `MODEL_FORMATS`.
        threads: threads within one inference.
        provider: the hardware to compute on.
        allow_fallback: whether the CPU will do where `provider` is not there.
        delegates: of TFLite, tried in this order.
        adapt: decides how a file without a manifest of edgecnn is used; None: as an exported one.

    Raises:
        ModelError: missing, of another format, damaged, or not an image classifier.
        InputError: a provider or a delegate that is not there, or not of this format.
        MissingExtraError: no engine for this format is installed.
    """
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    model_format = format_of(path)
    if path.is_dir():
        raise ModelError(f"{path}: expected a model file, got a folder")
    if not path.is_file():
        raise ModelError(f"{path}: not found; expected a model file")
    options = BackendOptions(
        threads=threads,
        provider=provider,
        allow_fallback=allow_fallback,
        delegates=tuple(delegates),
        adapt=adapt,
    )
    missing: MissingExtraError | None = None
    for engine in engines_of(model_format.name):
        if engine.refuses(options) is None:
            try:
                return engine.file().open_model(path, options)
            except MissingExtraError as error:
                missing = missing or error
    raise missing or InputError(_refusal(path, model_format, options))


def _refusal(path: Path, model_format: ModelFormat, options: BackendOptions) -> str:
    """Say which files an option is for, and what the engine of this one takes in its place."""
    engine = engines_of(model_format.name)[0]
    option = engine.refuses(options)
    taking = [
        other.suffix
        for other in MODEL_FORMATS.values()
        if any(candidate.refuses(options) != option for candidate in engines_of(other.name))
    ]
    instead = "--delegate" if engine.takes_delegates else "--provider" if len(engine.providers) > 1 else None
    advice = f"{engine.title} takes a {instead}" if instead else "leave it out"
    return f"{option}: expected a model file ({' or '.join(taking)}), got {path}; {advice}"
