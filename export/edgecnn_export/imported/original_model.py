"""A network that somebody else trained, with what its file does not say: labels, input, scaling of the pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.image_fit import ImageFit, shown_colour, shown_resize
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.pixel_scaling import PixelScaling

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class OriginalModel:
    """A network before it is imported."""

    network: "keras.Model"  # scaled pixels (N, height, width, channels) in, (N, classes) or (N, 1) out
    name: str
    origin: str  # where it came from, in words
    sha256: str | None  # of its file
    labels: tuple[str, ...]
    input: InputSpec
    scaling: PixelScaling
    licence: str | None = None
    assumed: tuple[str, ...] = ()  # what nobody said, in sentences


def original_model(
    network: "keras.Model",
    *,
    path: Path,
    labels: tuple[str, ...],
    scaling: PixelScaling | None,
    imgsz: int | None,
    fit: ImageFit,
) -> OriginalModel:
    """Join an opened model with what the user says about it.

    Args:
        network: as `open_model` gives it.
        path: where it came from.
        labels: one for each class.
        scaling: None where the user said nothing, which will do for a network that begins with its own scaling.
        imgsz: height and width of the images, where the network takes any.
        fit: how images are brought to that size, as far as the user says it.

    Raises:
        ModelError: it is no classifier of images.
        InputError: labels, scaling or size do not fit it.
    """
    grey: tuple[str, ...] = ()
    if len(network.inputs) == 1 and len(network.inputs[0].shape) == 3:
        network = with_channel_axis(network, origin=str(path), imgsz=imgsz)
        grey = ("its images are grey, since its input has rows and columns but no axis for the channels",)
    spec = image_input(network, origin=str(path), imgsz=imgsz, fit=fit)
    classes = count_classes(network, origin=str(path))
    check_count(labels, classes, origin="--labels")
    assumed = (*grey, *assumed_fit(fit, spec))
    if scaling is None:
        if not scales_itself(network):
            raise InputError(
                f"{path}: expected how its pixels are scaled, got nothing; give what it was trained with: --scale "
                "1/255, --mean 127.5 --std 127.5, --preprocess caffe, tf or torch, or none where it takes 0…255"
            )
        scaling = PixelScaling()
        assumed = ("it takes pixels 0…255, since it begins with its own scaling", *assumed)
    return OriginalModel(
        network=network,
        name=path.resolve().stem,
        origin=str(path.resolve()),
        sha256=hash_of(path),
        labels=labels,
        input=spec,
        scaling=scaling,
        assumed=assumed,
    )


def assumed_fit(fit: ImageFit, spec: InputSpec) -> tuple[str, ...]:
    """Say in sentences how images are brought to the input, where the user did not."""
    sentences = {
        "resize": f"images are fitted by {shown_resize(spec)} (--resize crop or pad says otherwise)",
        "interpolation": f"they are resized with the filter {spec.interpolation}, antialiased (--interpolation says "
        "otherwise; Keras' loaders and layers have bilinear-no-antialias)",
        "background": f"transparent pixels show {shown_colour(spec.background)} (--background says otherwise)",
    }
    return tuple(sentence for name, sentence in sentences.items() if getattr(fit, name) is None)


def with_channel_axis(network: "keras.Model", *, origin: str, imgsz: int | None) -> "keras.Model":
    """Put an input `(N, height, width, 1)` in front of a network that takes grey images `(N, height, width)`.

    Raises:
        InputError: it takes images of any size, and none is given.
    """
    import keras

    size = tuple(length or imgsz for length in network.inputs[0].shape[1:])
    if None in size:
        raise InputError(
            f"{origin}: expected the size of its images, as it takes any; add --imgsz with the one it was trained on"
        )
    image = keras.Input((*size, 1), name="image")
    return keras.Model(image, network(keras.layers.Reshape(size, name="rows")(image)))


def image_input(network: "keras.Model", *, origin: str, imgsz: int | None, fit: ImageFit) -> InputSpec:
    """Return the images a network takes.

    Raises:
        ModelError: it takes none, several, or such of 2 or 4 channels.
        InputError: its size is not known, or is not `imgsz`; `fit` does not fit it.
    """
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ModelError(
            f"{origin}: expected one input of images (N, height, width, channels), got {', '.join(map(str, shapes))}"
        )
    _, height, width, channels = shapes[0]
    if channels not in (1, 3):
        first = " (channels first: convert the model to channels last)" if height in (1, 3) else ""
        raise ModelError(
            f"{origin}: expected an input of 1 channel (grey) or 3 (RGB), the last axis, got {shapes[0]}{first}"
        )
    if imgsz is not None and imgsz < 1:
        raise InputError(f"--imgsz: expected at least 1, got {imgsz}")
    if (height is None or width is None) and imgsz is None:
        raise InputError(
            f"{origin}: expected the size of its images, as it takes any; add --imgsz with the one it was trained on"
        )
    if imgsz is not None and {size or imgsz for size in (height, width)} != {imgsz}:
        raise InputError(f"--imgsz: expected {height}x{width}, the input of {origin}, got {imgsz}; leave it out")
    colour = Colour.GREY if channels == 1 else Colour.RGB
    return fit.applied_to(InputSpec(int(height or imgsz or 0), int(width or imgsz or 0), colour))


def count_classes(network: "keras.Model", *, origin: str) -> int:
    """Return how many classes a network tells apart; one output is taken for the second of two.

    Raises:
        ModelError: its output is no `(N, classes)`, or not known before it runs.
    """
    shapes = [tuple(tensor.shape) for tensor in network.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ModelError(
            f"{origin}: expected one output (N, classes), that of a classification, got {', '.join(map(str, shapes))}"
            + ("; add GlobalAveragePooling2D and Dense layers" if len(shapes[0]) == 4 else "")
        )
    units = shapes[0][1]
    if units is None:
        raise ModelError(f"{origin}: expected an output of a known number of classes, got {shapes[0]}")
    return max(2, int(units))


def check_count(labels: Sequence[str], classes: int, *, origin: str) -> None:
    """Check that there is a label for each class.

    Raises:
        InputError: another number.
    """
    if len(labels) != classes:
        raise InputError(
            f"labels: expected {classes}, as many as the model tells classes apart, got {len(labels)} in {origin}; "
            "give them in the order in which the model was trained (Keras sorts class folders by name)"
        )


def scales_itself(network: "keras.Model") -> bool:
    """Tell whether a network begins with a layer that scales, so that it takes 0…255."""
    import keras

    scaling = (keras.layers.Rescaling, keras.layers.Normalization)
    passing = (keras.layers.InputLayer, keras.layers.Reshape)
    layers = [layer for layer in network.layers if not isinstance(layer, passing)]
    if not layers:
        return False
    return scales_itself(layers[0]) if isinstance(layers[0], keras.Model) else isinstance(layers[0], scaling)


def hash_of(path: Path) -> str:
    """Hash a model file, or all files of a folder with their names: SHA-256, hex."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode() if file != path else b"")
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
