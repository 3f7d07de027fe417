"""The errors of edgecnn, one tree.

    EdgecnnError
    ├── InputError          (ValueError)   an argument or a file cannot be used            exit code 2
    │   ├── ImageError                     one image cannot be read
    │   ├── ModelError                     a model file cannot be read or is not a classifier
    │   ├── DataError                      an image set is missing, damaged or inconsistent
    │   └── SourceError                    a camera, a video or a stream cannot be opened or read
    ├── MissingExtraError   (ImportError)  a package is needed that is not installed       exit code 2
    └── GateError           (RuntimeError) the work ran, and a check of its result failed  exit code 1

Each is also the builtin that callers already catch. A message says what must be, what came and what to do.
"""


class EdgecnnError(Exception):
    """Every error that edgecnn raises on purpose."""

    exit_code = 2


class InputError(EdgecnnError, ValueError):
    """An argument or a file cannot be used as it is."""


class ImageError(InputError):
    """One image cannot be read."""


class ModelError(InputError):
    """A model file cannot be read, or is not an image classifier."""


class DataError(InputError):
    """An image set is missing, damaged or inconsistent."""


class SourceError(InputError):
    """A camera, a video file or a network stream cannot be opened or read."""


class MissingExtraError(EdgecnnError, ImportError):
    """A package is needed that is not installed.

    >>> print(MissingExtraError("LiteRT", package="ai-edge-litert", extra="litert"))
    LiteRT needs the package ai-edge-litert, which is not installed; run: pip install "edgecnn[litert]"
    """

    def __init__(self, what: str, *, package: str, extra: str, instead: str | None = None) -> None:
        """Name the package and the line that installs it; `instead` is another package that will do."""
        super().__init__(
            f'{what} needs the package {package}, which is not installed; run: pip install "edgecnn[{extra}]"'
            + (f", or where that has no wheel: pip install {instead}" if instead else "")
        )


class GateError(EdgecnnError, RuntimeError):
    """The work ran, and a check of its result did not pass."""

    exit_code = 1
