"""A small int8 TFLite classifier with everything an exported file carries; made by the converter in seconds."""

from collections.abc import Sequence
from pathlib import Path

from edgecnn_runtime.backends import open_backend
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import Colour, GoldenCheck, InputSpec, Manifest, Scheme
from edgecnn_runtime.system.native_output import native_output_kept

RGB_16 = InputSpec(16, 20, Colour.RGB)


def tiny_classifier(
    path: Path,
    *,
    signed: bool = False,
    name: str = "parts",
    labels: Sequence[str] = ("crack", "dent", "whole"),
    arena_bytes: int | None = None,
) -> Path:
    """Write a classifier of 16x20 RGB images with random weights; `signed`: int8 in, int16 out."""
    import keras
    from format_content import content_of

    from edgecnn_export.formats import ALL_INTEGER, INT8_TFLITE
    from edgecnn_export.tflite.manifest import embed_in_tflite

    keras.utils.set_random_seed(4)
    network = keras.Sequential(
        [
            keras.Input(RGB_16.shape, name="pixels"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(len(labels), activation="softmax"),
        ]
    )
    with native_output_kept():
        content = content_of(network, ALL_INTEGER if signed else INT8_TFLITE, golden_images(RGB_16))
        path.write_bytes(content)
        golden = open_backend(path).infer(golden_images(RGB_16))
    manifest = Manifest(
        name,
        tuple(labels),
        RGB_16,
        Scheme.INT8,
        arena_bytes=arena_bytes,
        golden=GoldenCheck(tuple(tuple(map(float, row)) for row in golden), tolerance=4 / 256),
    )
    path.write_bytes(embed_in_tflite(content, manifest))
    return path
