"""Weights for the base of a network: of ImageNet, of a file, or none."""

import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgecnn_runtime.errors import InputError
from edgecnn_training.data.home import data_folder
from edgecnn_training.frozen_base import base_of
from edgecnn_training.network import core
from edgecnn_training.recipe import Recipe
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import IMAGENET, NO_WEIGHTS


def load_base_weights(network: Any, recipe: Recipe, weights: str) -> None:
    """Give the base of a built network its pretrained weights.

    Args:
        network: of `build_network`.
        recipe: with a base.
        weights: a file of Keras weights for the base without its top; "imagenet" takes the file named after the
            base in `$EDGECNN_DATA/weights`, else the one that Keras downloads and caches; "none" leaves the random
            weights.

    Raises:
        InputError: the file is missing, cannot be downloaded, or is of another architecture.
    """
    if weights == NO_WEIGHTS:
        return
    base = base_of(keras, core(network))
    path = _file_at_hand(base.name) if weights == IMAGENET else Path(weights)
    if path is None:
        _load_imagenet(base, recipe)
    else:
        _load_file(base, path)
    if recipe.scaling is Scaling.CAFFE:
        _turn_to_rgb(base)


def _file_at_hand(name: str) -> Path | None:
    """Find `<name>…no_top….h5` in `$EDGECNN_DATA/weights`, the first by name.

    The name of a Keras network may end in the side of its images, which the weights do not depend on.
    """
    root = data_folder()
    if root is None:
        return None
    pattern = re.sub(r"_\d+$", "", name) + "*no*top*.h5"
    return next(iter(sorted((root / "weights").glob(pattern))), None)


def _load_file(base: Any, path: Path) -> None:
    if not path.is_file():
        raise InputError(
            f"weights: {IMAGENET}, {NO_WEIGHTS}, or a file of Keras weights for {base.name} without its top expected, "
            f"got {path}, which does not exist"
        )
    try:
        base.load_weights(path)
    # Keras passes on whatever HDF5 raises, and a ValueError of many lines for another architecture.
    except Exception as error:
        raise InputError(
            f"{path}: Keras weights for {base.name} without its top expected, got others "
            f"({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error


def _load_imagenet(base: Any, recipe: Recipe) -> None:
    """Take the weights that Keras caches, downloading them where they are not."""
    application = getattr(keras.applications, str(recipe.base))
    try:
        trained = application(include_top=False, weights="imagenet", input_shape=base.input_shape[1:])
    except Exception as error:
        # Keras raises a plain Exception that names the address of the file.
        address = re.search(r"https?://\S+?([^/\s]+\.h5)", str(error))
        if address is None:
            raise
        home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
        raise InputError(
            f"{recipe.base}: its ImageNet weights expected, but {address[1]} is neither cached nor to be downloaded "
            f"from here; put that file into {home / 'models'}, or give --weights FILE or --weights {NO_WEIGHTS}"
        ) from error
    base.set_weights(trained.get_weights())


def _turn_to_rgb(base: Any) -> None:
    """Reverse the channels of the first kernel, which was trained on BGR, since the images here are RGB."""
    first = next(layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D))
    kernel, *rest = first.get_weights()
    first.set_weights([np.ascontiguousarray(kernel[:, :, ::-1]), *rest])
