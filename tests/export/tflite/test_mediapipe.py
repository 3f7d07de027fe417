"""MediaPipe Tasks opens our files with nothing but the path: the official metadata inside is what it needs."""

from pathlib import Path

import needs
import numpy as np
import pytest

from edgecnn_export.tflite.manifest import embed_in_tflite
from edgecnn_runtime import Classifier, Colour, InputSpec, Manifest
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.system.native_output import native_output_kept

# MediaPipe's own image classifier takes RGB only.
SPEC = InputSpec(32, 32, Colour.RGB)
LABELS = ("crack", "dent", "whole")


@pytest.fixture(scope="module")
def vision():  # type: ignore[no-untyped-def]
    needs.package("mediapipe")
    from mediapipe.tasks.python import vision

    return vision


@pytest.fixture(scope="module", params=[Scheme.FLOAT32, Scheme.FLOAT16, Scheme.DYNAMIC, Scheme.INT8])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vision) -> Path:  # type: ignore[no-untyped-def]
    import keras

    from edgecnn_export.tflite.convert import export_tflite

    keras.utils.set_random_seed(4)
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3), name="pixels"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    with native_output_kept():
        content = export_tflite(network, request.param, calibration=golden_images(SPEC))
    path = tmp_path_factory.mktemp("mediapipe") / f"parts_{request.param}.tflite"
    path.write_bytes(embed_in_tflite(content, Manifest("parts", LABELS, SPEC, request.param)))
    return path


def test_the_image_classifier_gives_our_label_and_probability(model: Path, vision) -> None:  # type: ignore[no-untyped-def]
    import mediapipe

    ours = Classifier.open(model)
    with vision.ImageClassifier.create_from_model_path(str(model)) as theirs:
        for pixels in golden_images(SPEC):
            expected = ours.predict(pixels)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
            (found,) = theirs.classify(image).classifications
            best = found.categories[0]
            assert best.category_name == expected.label
            assert best.score == pytest.approx(expected.probability, abs=1 / 256)
