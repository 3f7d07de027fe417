"""The networks of keras.applications: each with the pre-processing and the labels that it was trained with."""

from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import edgecnn
from tiny_imported import write_folder
from typer.testing import CliRunner

from edgecnn.app import command_line
from edgecnn_export.imported.application import (
    application_model,
    application_names,
    build_application,
    imagenet_labels,
)
from edgecnn_export.imported.import_model import import_model
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.pixel_scaling import PixelScaling

SIDE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
# The cheapest of each way to prepare pixels, and Keras's function for it.
FAMILIES = {
    "VGG16": keras.applications.vgg16.preprocess_input,  # caffe
    "MobileNet": keras.applications.mobilenet.preprocess_input,  # tf
    "DenseNet121": keras.applications.densenet.preprocess_input,  # torch
    "MobileNetV3Small": keras.applications.mobilenet_v3.preprocess_input,  # inside the network
}


def test_the_labels_are_those_that_keras_decodes(real_data: Path) -> None:
    import json

    index = json.loads((real_data / "weights/imagenet_class_index.json").read_text())
    for number, label in enumerate(imagenet_labels()):
        assert label.partition("_(")[0] == index[str(number)][1]


def test_the_labels_are_a_thousand_different_ones() -> None:
    labels = imagenet_labels()
    assert len(labels) == len(set(labels)) == 1000
    assert [labels[number] for number in (0, 134, 517, 638, 639, 999)] == [
        "tench", "crane_(bird)", "crane_(machine)", "maillot_(tights)", "maillot_(tank_suit)", "toilet_tissue",
    ]  # fmt: skip


def test_all_networks_have_a_scaling() -> None:
    """Found out from Keras; nothing here has to follow when it gets another network."""
    from edgecnn_export.imported.application import _preprocess_input
    from edgecnn_export.imported.pixel_scaling import scaling_of_function
    from edgecnn_training.recipes.transfer import SCALING_OF_BASE
    from edgecnn_training.scaling import Scaling

    names = application_names()
    assert set(SCALING_OF_BASE) <= set(names)
    for name in names:
        scaling = scaling_of_function(_preprocess_input(name))
        if name in SCALING_OF_BASE:
            assert scaling.bgr is (SCALING_OF_BASE[name] is Scaling.CAFFE)
            assert (scaling == PixelScaling()) is (SCALING_OF_BASE[name] is Scaling.NONE)
            assert (scaling == PixelScaling((0.0078431372549,), (-1.0,))) is (SCALING_OF_BASE[name] is Scaling.SIGNED)


@pytest.mark.parametrize("name", FAMILIES)
def test_pixels_are_prepared_as_keras_prepares_them(name: str) -> None:
    keras.utils.set_random_seed(0)
    labels = ("a", "b", "c")
    network = build_application(name, labels=labels, imgsz=SIDE)
    expected = np.asarray(network(FAMILIES[name](PIXELS.astype(np.float32)), training=False))
    original = application_model(network, name, labels=labels, weights="none", fit=ImageFit())
    assert original.input.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(import_model(original, PIXELS).predict(PIXELS), expected, atol=1e-5)


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(InputError, match=r"--application: expected one of .*MobileNetV2.*, got 'mobilenet2'"):
        build_application("mobilenet2", labels=None, imgsz=None)
    with pytest.raises(InputError, match="MobileNetV2: expected --imgsz that it can be built with, got 8"):
        build_application("MobileNetV2", labels=None, imgsz=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny", "DenseNet121"]
)
def test_a_network_on_the_command_line(name: str, tmp_path: Path) -> None:
    photos = write_folder(tmp_path / "photos", count=20, side=100)
    words = ("export", "--application", name, "--weights", "none", "--imgsz", "96")
    edgecnn(*words, "--calibration-data", photos, "--int8", "--max-drop", "100", "-o", "runs/net", cwd=tmp_path)
    files = sorted((tmp_path / "runs/net/export").glob("net_*"))
    assert sorted(file.suffix for file in files) == [".onnx", ".onnx", ".tflite", ".tflite"]
    for file in files:
        classifier = Classifier.open(file)
        assert classifier.verify().passed
        assert classifier.labels == imagenet_labels()
        assert classifier.manifest.accuracy is None
        assert classifier.manifest.agreement is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--scale", "1/255"), "--scale: expected none, "),
        (("--weights", "no.h5"), "no.h5: not found; expected a file of Keras weights"),
        (("--int8",), "--calibration-data: expected a folder of images for the int8 ranges, got none"),
        (("--labels", "a,b", "--imgsz", "8"), "expected --imgsz that it can be built with, got 8"),
    ],
)
def test_options_that_do_not_fit_a_network_are_refused(words: tuple[str, ...], message: str) -> None:
    error = CliRunner().invoke(command_line(), ["export", "--application", "MobileNetV2", *words]).exception
    assert isinstance(error, InputError)
    assert message in str(error)
