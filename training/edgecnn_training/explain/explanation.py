"""From an image and a model, or a kernel given by hand, to the pictures."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_files import opened_image
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.prediction import Prediction
from edgecnn_runtime.preprocess import read_image
from edgecnn_training.evaluation.opened_model import OpenedModel
from edgecnn_training.explain import drawings
from edgecnn_training.explain.conv_block import conv_block, is_convolution
from edgecnn_training.explain.occlusion import Occlusion, occlude
from edgecnn_training.explain.recorded_layers import find_call, record_layers
from edgecnn_training.explain.sliding_window import correlate, max_pool, relu
from edgecnn_training.explain.window import Window
from edgecnn_training.figures.labels import drawable
from edgecnn_training.figures.style import write_png
from edgecnn_training.networks.network_layers import layer_kind

# Pixels of an image that is drawn at its own size: each takes 8 bytes in every step and more in the picture.
_MAX_DRAWN = 16_000_000


@dataclass(frozen=True)
class Explanation:
    """What a model said about an image, why, and the pictures of it."""

    prediction: Prediction
    occlusion: Occlusion
    layer: str | None  # that was drawn
    layers: tuple[str, ...]  # that could be
    files: tuple[Path, ...]


def explain_prediction(model: OpenedModel, image: Path, *, layer: str | None = None, output: Path) -> Explanation:
    """Draw what decided the class, and for a Keras model what a layer does to the image.

    Writes `occlusion.png`; for a convolution `<layer>_kernels.png` and `<layer>_block.png`, for another layer
    `<layer>_output.png`.

    Args:
        model: a run's, or a model file, whose layers are not known.
        image: a file.
        layer: which layer to draw; None takes the first convolution.
        output: the folder to write.

    Raises:
        ImageError: the image cannot be read.
        InputError: no such layer, or a model file.
    """
    pixels = read_image(image, model.input)
    if layer is not None and model.network is None:
        raise InputError(
            f"{model.path}: expected a run folder beside --layer, got a model file, whose layers are fused"
        )
    prediction = Prediction.of(model.probabilities(pixels[np.newaxis])[0], model.labels)
    names: tuple[str, ...] = ()
    drawn: str | None = None
    figures: dict[str, Figure] = {}
    if model.network is not None:
        names, drawn, figures = _draw_layer(model.network, pixels, layer, model.labels)
    number = model.labels.index(prediction.label)
    occlusion = occlude(model.probabilities, pixels, number)
    labels = drawable(model.labels)
    with labels.in_use():
        figures["occlusion"] = drawings.occlusion_map(
            occlusion, pixels, label=labels.labels[number], probability=prediction.probability
        )
        files = _write(figures, output)
    return Explanation(prediction, occlusion, drawn, names, files)


def explain_kernel(
    image: Path, kernel: NDArray[np.float64], window: Window, *, spec: InputSpec | None = None, output: Path
) -> Path:
    """Draw what a kernel given by hand makes of an image: filter, detect, condense. Writes `sliding_window.png`.

    Args:
        image: a file; it is taken in grey, 0…1.
        kernel: `(rows, columns)`.
        window: how it slides, and the pooling.
        spec: the size to bring the image to; None keeps its own.
        output: the folder to write.

    Raises:
        ImageError: the image cannot be read.
        InputError: the kernel or the pool is larger than what it slides over.
    """
    spec = dataclasses.replace(spec, colour=Colour.GREY) if spec else InputSpec(*_own_size(image), Colour.GREY)
    values = read_image(image, spec)[:, :, 0] / 255
    filtered = correlate(values, kernel, stride=window.stride, padding=window.padding)
    detected = relu(filtered)
    pool_stride = window.pool_stride or window.pool
    condensed = max_pool(detected, size=window.pool, stride=pool_stride, padding=window.pool_padding)
    rows, columns = kernel.shape
    figure = drawings.hand_made_block(
        values,
        kernel,
        (
            (f"Filter: {rows} × {columns}, stride {window.stride}, {window.padding}", filtered),
            ("Detect: ReLU", detected),
            (
                f"Condense: max {window.pool} × {window.pool}, stride {pool_stride}, {window.pool_padding}",
                condensed,
            ),
        ),
    )
    return _write({"sliding_window": figure}, output)[0]


def _draw_layer(
    network: Any, pixels: NDArray[np.uint8], name: str | None, labels: tuple[str, ...]
) -> tuple[tuple[str, ...], str | None, dict[str, Figure]]:
    """Return the names of all layers, the one that is drawn (None if there is no convolution), and its figures."""
    calls = record_layers(network, pixels)
    names = tuple(dict.fromkeys(call.layer.name for call in calls))
    if name is None:
        name = next((call.layer.name for call in calls if is_convolution(call)), None)
        if name is None:
            return names, None, {}
    call = find_call(calls, name)
    stem = name.replace("/", "_")
    if is_convolution(call):
        block = conv_block(calls, call)
        return (
            names,
            name,
            {
                f"{stem}_kernels": drawings.kernel_gallery(block),
                f"{stem}_block": drawings.network_block(block, pixels),
            },
        )
    fit_to_draw = drawable(labels)
    with fit_to_draw.in_use():
        figure = drawings.layer_output(name, layer_kind(call.layer), call.output, fit_to_draw.labels)
    return names, name, {f"{stem}_output": figure}


def _write(figures: Mapping[str, Figure], output: Path) -> tuple[Path, ...]:
    for name, figure in figures.items():
        write_png(figure, output / f"{name}.png")
    return tuple(output / f"{name}.png" for name in figures)


def _own_size(image: Path) -> tuple[int, int]:
    """Return height and width of an image as it is seen."""
    from PIL import ExifTags

    with opened_image(image, max_pixels=_MAX_DRAWN) as opened:
        width, height = opened.size
        on_its_side = opened.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    return (width, height) if on_its_side else (height, width)
