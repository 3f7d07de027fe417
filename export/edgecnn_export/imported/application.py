"""The classifiers of `keras.applications`, with the labels of ImageNet and the pre-processing each was trained with."""

import inspect
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any

from edgecnn_export.imported.original_model import (
    OriginalModel,
    assumed_fit,
    check_count,
    count_classes,
    image_input,
)
from edgecnn_export.imported.pixel_scaling import scaling_of_function
from edgecnn_export.keras_on_tensorflow import import_keras
from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_fit import ImageFit

if TYPE_CHECKING:
    import keras

# The licence of the weights that Keras offers for download.
_LICENCE = "Apache-2.0 (Keras Applications), trained on ImageNet"


def imagenet_labels() -> tuple[str, ...]:
    """Return the names of ImageNet's 1,000 classes, in the order of the networks' outputs, each of them once.

    >>> imagenet_labels()[:2], len(set(imagenet_labels()))
    (('tench', 'goldfish'), 1000)
    """
    text = resources.files("edgecnn_export.imported").joinpath("imagenet_labels.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def application_names() -> tuple[str, ...]:
    """List the classifiers that the installed Keras has."""
    keras = import_keras()
    return tuple(
        sorted(
            name
            for name, value in vars(keras.applications).items()
            if inspect.isfunction(value) and "include_top" in inspect.signature(value).parameters
        )
    )


def build_application(name: str, *, labels: tuple[str, ...] | None, imgsz: int | None) -> "keras.Model":
    """Build a network of `keras.applications` with its top and random weights.

    Args:
        name: as Keras spells it.
        labels: of its classes; None: those of ImageNet.
        imgsz: height and width of its images; None: those it was trained on.

    Raises:
        InputError: Keras has no such network, or not of that size.
    """
    keras = import_keras()
    names = application_names()
    if name not in names:
        raise InputError(not_among("--application", name, names))
    shape = None if imgsz is None else (imgsz, imgsz, 3)
    try:
        network = getattr(keras.applications, name)(
            include_top=True,
            weights=None,
            input_shape=shape,
            classes=len(labels or imagenet_labels()),
            classifier_activation="softmax",
        )
    except ValueError as error:
        raise InputError(
            f"{name}: expected --imgsz that it can be built with, got {imgsz}; Keras says: {error}"
        ) from error
    if None in network.input_shape[1:]:
        # It takes any size; Keras trained it at the one its documentation gives.
        return build_application(name, labels=labels, imgsz=_DEFAULT_SIDE)
    return network


# Of every network of Keras whose top does not fix it.
_DEFAULT_SIDE = 224


def application_model(
    network: "keras.Model", name: str, *, labels: tuple[str, ...] | None, weights: str, fit: ImageFit
) -> OriginalModel:
    """Join a built network with its labels and with the scaling that its `preprocess_input` does.

    Args:
        network: of `build_application`, with its weights.
        name: as Keras spells it.
        labels: None: those of ImageNet.
        weights: where the weights came from, in words.
        fit: how images are brought to its size, as far as the user says it.

    Raises:
        InputError: the labels are too many or too few, or `fit` does not fit the network.
    """
    names = labels or imagenet_labels()
    check_count(names, count_classes(network, origin=name), origin="--labels")
    spec = image_input(network, origin=name, imgsz=None, fit=fit)
    return OriginalModel(
        network=network,
        name=name.lower(),
        origin=f"keras.applications.{name}, weights: {weights}",
        sha256=None,
        labels=names,
        input=spec,
        scaling=scaling_of_function(_preprocess_input(name)),
        licence=None if weights == "none" else _LICENCE,
        assumed=assumed_fit(fit, spec),
    )


def _preprocess_input(name: str) -> Any:
    """Return the function `preprocess_input` that stands beside a network in its module."""
    keras = import_keras()
    module = sys.modules[getattr(keras.applications, name).__module__]
    return module.preprocess_input
