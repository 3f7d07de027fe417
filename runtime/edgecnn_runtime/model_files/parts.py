"""The files that a model consists of."""

from pathlib import Path

from edgecnn_runtime.model_formats import find_format


def model_parts(path: Path) -> tuple[Path, ...]:
    """Return the model file, and the files beside it that belong to it."""
    model_format = find_format(path)
    return (path,) if model_format is None else (path, *model_format.reader().companion_files(path))


def model_bytes(path: Path) -> int:
    """Return the size of a model, all of its files together."""
    return sum(part.stat().st_size for part in model_parts(path))
