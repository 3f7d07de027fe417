"""Which CUDA the installed packages were built for, and which is there: from their files, nothing is imported."""

import ctypes.util
import importlib.metadata
import re
from collections.abc import Iterator
from dataclasses import dataclass

ONNX_RUNTIME, TENSORFLOW = "onnxruntime-gpu", "tensorflow"

# Where a package says what it was built for: `cuda_version = '12.8'` and `('cuda_version', '12.5.1')`. ONNX Runtime
# does since 1.21.
_BUILD_INFO = {
    ONNX_RUNTIME: "onnxruntime/capi/build_and_package_info.py",
    TENSORFLOW: "tensorflow/python/platform/build_info.py",
}
_BUILT_FOR = re.compile(r"\bcuda_version\W+(\d+)")

# CUDA is told by its library of matrix products, which both need; a compiler brings CUDA's runtime without it. Its
# packages: the second since CUDA 13.
_CUBLAS = ("nvidia-cublas-cu12", "nvidia-cublas")
_LIBRARY = re.compile(r"(?:libcublas\.so\.|cublas64_)(\d+)")


@dataclass(frozen=True)
class Cuda:
    """Major versions of CUDA."""

    # What each of the installed packages was built for, by its name.
    wanted: dict[str, int]
    # Those that NVIDIA's Python packages brought, and that of the system.
    installed: tuple[int, ...]


def find_cuda() -> Cuda:
    """Read what was built for which CUDA, and which is installed."""
    wanted = {package: _built_for(package, file) for package, file in _BUILD_INFO.items()}
    return Cuda(
        {package: major for package, major in wanted.items() if major is not None},
        tuple(sorted({int(library[1]) for library in map(_LIBRARY.search, _libraries()) if library})),
    )


def _built_for(package: str, file: str) -> int | None:
    try:
        text = importlib.metadata.distribution(package).locate_file(file).read_text()
    except (importlib.metadata.PackageNotFoundError, OSError):
        return None
    found = _BUILT_FOR.search(text)
    return int(found[1]) if found else None


def _libraries() -> Iterator[str]:
    """Name libraries, those of CUDA that are found among them."""
    for package in _CUBLAS:
        try:
            yield from (file.name for file in importlib.metadata.files(package) or ())
        except importlib.metadata.PackageNotFoundError:
            continue
    yield find_library("cublas") or ""


def find_library(name: str) -> str | None:
    """Return the file name of a shared library that the system finds, None where it finds none.

    >>> find_library("no-such-library")
    """
    try:
        return ctypes.util.find_library(name)
    # Where the linker's own list has none, Python asks a compiler, and for that writes a temporary file.
    except OSError:
        return None
