"""Weights for a network of `keras.applications`, with its top or as a base: of ImageNet, of a file, or none."""

import functools
import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgecnn_runtime.errors import InputError
from edgecnn_training.data.home import data_folder
from edgecnn_training.networks.frozen_base import IMAGENET_WIDTHS, base_of
from edgecnn_training.networks.network import core
from edgecnn_training.recipe import Recipe
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import IMAGENET, NO_WEIGHTS


def load_base_weights(network: Any, recipe: Recipe, weights: str) -> None:
    """Give the base of a built network its pretrained weights.

    Args:
        network: of `build_network`.
        recipe: with a base.
        weights: as `load_application_weights` takes them, for the base without its top.

    Raises:
        InputError: the file is missing, cannot be downloaded, or is of another architecture.
    """
    if weights == NO_WEIGHTS:
        return
    base = base_of(keras, core(network))
    load_application_weights(base, str(recipe.base), weights, include_top=False, alpha=recipe.alpha)
    if recipe.scaling is Scaling.CAFFE:
        _turn_to_rgb(base)


def load_application_weights(
    network: Any, application: str, weights: str, *, include_top: bool, alpha: float = 1.0
) -> str:
    """Give a network of `keras.applications` its pretrained weights.

    Args:
        network: as Keras builds it.
        application: its name there, such as "MobileNetV2".
        weights: a file of Keras weights; "imagenet" takes the file named after the network in `$EDGECNN_DATA/weights`,
            else the one that Keras downloads and caches; "none" leaves the random weights.
        include_top: whether the network has its classifier.
        alpha: its width; 1 where it has one width.

    Returns:
        Where the weights came from, in words.

    Raises:
        InputError: the file is missing, cannot be downloaded, or is of another architecture.
    """
    if weights == NO_WEIGHTS:
        return NO_WEIGHTS
    # The names of other networks in several widths say the width.
    name = f"{network.name}_{alpha:.2f}" if alpha != 1 and application.startswith("MobileNetV3") else network.name
    path = _file_at_hand(name, include_top=include_top) if weights == IMAGENET else Path(weights)
    if path is None:
        _load_imagenet(network, application, include_top=include_top, alpha=alpha)
        return IMAGENET
    _load_file(network, path, include_top=include_top)
    return str(path)


def _file_at_hand(name: str, *, include_top: bool) -> Path | None:
    """Find `<name>…no_top….h5`, or `<name>…with_top….h5`, in `$EDGECNN_DATA/weights`, the first by name.

    The name of a Keras network may end in the side of its images, which the weights do not depend on.
    """
    root = data_folder()
    if root is None:
        return None
    pattern = re.sub(r"_\d+$", "", name) + ("*with*top*.h5" if include_top else "*no*top*.h5")
    return next(iter(sorted((root / "weights").glob(pattern))), None)


def _load_file(network: Any, path: Path, *, include_top: bool) -> None:
    what = f"{network.name} {'with' if include_top else 'without'} its top"
    if not path.is_file():
        raise InputError(
            f"{path}: not found; expected a file of Keras weights for {what}, or --weights {IMAGENET} or {NO_WEIGHTS}"
        )
    try:
        network.load_weights(path)
    # Keras passes on whatever HDF5 raises, and a ValueError of many lines for another architecture.
    except Exception as error:
        raise InputError(
            f"{path}: expected Keras weights for {what}, got others "
            f"({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from error


def _load_imagenet(network: Any, name: str, *, include_top: bool, alpha: float) -> None:
    """Take the weights that Keras caches, downloading them where they are not."""
    application = getattr(keras.applications, name)
    if name in IMAGENET_WIDTHS:
        _check_width(name, alpha)
        application = functools.partial(application, alpha=alpha)
    # With the top, Keras wants the size that it was trained on; the weights are those of any size.
    shape = None if include_top else network.input_shape[1:]
    try:
        trained = application(include_top=include_top, weights="imagenet", input_shape=shape)
    except Exception as error:
        # Keras raises a plain Exception that names the address of the file.
        address = re.search(r"https?://\S+?([^/\s]+\.h5)", str(error))
        if address is None:
            raise
        home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
        raise InputError(
            f"{name}: expected its ImageNet weights, but {address[1]} is neither cached nor to be downloaded "
            f"from here; put that file into {home / 'models'}, or give --weights FILE or --weights {NO_WEIGHTS}"
        ) from error
    try:
        network.set_weights(trained.get_weights())
    except ValueError as error:
        raise InputError(
            f"{name}: expected --imgsz {trained.input_shape[1]}, which its ImageNet weights were trained on, "
            f"got {network.input_shape[1]}: its top depends on the size"
        ) from error


def _check_width(name: str, alpha: float) -> None:
    widths = IMAGENET_WIDTHS[name]
    if alpha not in widths:
        raise InputError(
            f"alpha: expected one of {', '.join(f'{width:g}' for width in widths)}, the widths of {name} with ImageNet "
            f"weights, got {alpha:g}; give one of them, or --weights FILE or --weights {NO_WEIGHTS}"
        )


def _turn_to_rgb(base: Any) -> None:
    """Reverse the channels of the first kernel, which was trained on BGR, since the images here are RGB."""
    first = next(layer for layer in base.layers if isinstance(layer, keras.layers.Conv2D))
    kernel, *rest = first.get_weights()
    first.set_weights([np.ascontiguousarray(kernel[:, :, ::-1]), *rest])
