"""The packages that a training needs beside those that edgecnn always has."""

from importlib.util import find_spec

from edgecnn_runtime.errors import MissingExtraError

# By the name of the package to install, the modules of which one must be there: Keras computes with any of three.
_PACKAGES = {
    "keras": ("keras",),
    "tensorflow": ("tensorflow", "jax", "torch"),
    "scikit-learn": ("sklearn",),
    "matplotlib": ("matplotlib",),
}


def check_packages() -> None:
    """Find out before anything is prepared or trained, and without loading them, that packages are missing.

    Raises:
        MissingExtraError: one is not installed.
    """
    for package, modules in _PACKAGES.items():
        if not any(map(_is_installed, modules)):
            raise MissingExtraError("edgecnn train", package=package, extra="train")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # of a finder that refuses it
        return False
