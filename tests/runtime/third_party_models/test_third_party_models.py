"""Models that others made: every kind of input and output against numpy."""

import io
import itertools
import json
import os
import pickle
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from third_party_models import HEIGHT, LABELS, WIDTH, ThirdParty, write_onnx, write_tflite
from tiny_tflite import TinyOperator, TinyTensor, numbers, tiny_tflite

from edgecnn_runtime import Classifier, Colour, InputError, InputSpec, Manifest, ModelError, Origin, PixelRangeError
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import Interpolation, Resize, Scheme
from edgecnn_runtime.model_files.graph_facts import FirstScaling
from edgecnn_runtime.model_files.onnx_graph import read_onnx_facts
from edgecnn_runtime.model_files.tflite_graph import read_tflite_facts

PIXELS = np.random.default_rng(1).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)
GREY = PIXELS[..., :1]

# What a caller says, and what that makes of RGB pixels: scale, offset, and whether the channels are turned.
TORCH_MEAN, TORCH_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SAID = {
    "scale": ({"scale": "1/255"}, lambda x: x / 255),
    "mean and std": ({"mean": 127.5, "std": 127.5}, lambda x: (x - 127.5) / 127.5),
    "three": ({"mean": (120, 110, 100), "std": "60,50,40"}, lambda x: (x - [120, 110, 100]) / [60, 50, 40]),
    "bgr": ({"scale": 1 / 255, "colour": "bgr"}, lambda x: x[..., ::-1] / 255),
    "three, bgr": (
        {"mean": (120, 110, 100), "std": 50, "colour": "BGR"},
        lambda x: ((x - [120, 110, 100]) / 50)[..., ::-1],
    ),
    "tf": ({"preprocess": "tf"}, lambda x: x / 127.5 - 1),
    "torch": ({"preprocess": "torch"}, lambda x: (x / 255 - TORCH_MEAN) / TORCH_STD),
    "caffe": ({"preprocess": "caffe"}, lambda x: x[..., ::-1] - [103.939, 116.779, 123.68]),
    "per-image": (
        {"preprocess": "per-image"},
        lambda x: np.stack([(image - image.mean()) / image.std() for image in x]),
    ),
}

# Of a quantized input nothing need be said: dtype, scale, zero point, and what a pixel stands for.
QUANTIZED = {
    "unit": ("uint8", 1 / 255, 0),
    "camera bytes": ("uint8", 1.0, 0),
    "mobilenet": ("uint8", 0.0078125, 128),
    "signed unit": ("int8", 1 / 255, -128),
    "signed": ("int8", 0.02, -10),
    "signed camera": ("int8", 1.0, -128),
}


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the files at once: what a process of its own is for is tested in `test_damaged_models.py`."""
    monkeypatch.setattr("edgecnn_runtime.third_party_models.first_run.check_first_run", lambda *_: None)


def agree(classifier: Classifier, expected: NDArray[np.float64], pixels: NDArray[np.uint8], *, within: float) -> None:
    """Check a batch, and each image alone."""
    together = classifier.predict_proba(pixels)
    assert together.shape == expected.shape
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, expected, atol=within)
    alone = np.stack([classifier.predict_proba(image) for image in pixels])
    np.testing.assert_allclose(alone, expected, atol=within)


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_what_the_caller_says_of_pixels_is_done(tmp_path: Path, suffix: str, said: str) -> None:
    arguments, by_hand = SAID[said]
    expected_values = by_hand(PIXELS.astype(np.float64))
    gain = np.abs(expected_values).max()
    for axes in ("nhwc", "nchw"):
        kind = ThirdParty(axes=axes)
        path = _write(tmp_path / f"m{suffix}", kind)
        agree(Classifier.open(path, **arguments), kind.answer(expected_values), PIXELS, within=2e-5 * max(1, gain))


# What a model does with a pixel first, the pixels that it is for, and how it is said.
FIRST = {
    "mean of 0…1": (("Sub", 0.485), 255, "0…1, pixels / 255"),
    "standard deviation of 0…1": (("Div", 0.229), 255, "0…1, pixels / 255"),
    "to -1…1": (("Mul", 2.0), 255, "0…1, pixels / 255"),
    "to -0.5…0.5": (("Add", -0.5), 255, "0…1, pixels / 255"),
    "mean of bytes": (("Sub", 127.5), 1, "0…255"),
    "to 0…1": (("Mul", 1 / 255), 1, "0…255"),
    "to 0…2": (("Div", 127.5), 1, "0…255"),
}


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_pixels_suit_the_scaling_that_a_model_begins_with(tmp_path: Path, suffix: str, name: str) -> None:
    first, divided_by, said = FIRST[name]
    kind = ThirdParty(first=first, gain=0.3 if divided_by == 255 else 0.01)
    classifier = Classifier.open(_write(tmp_path / f"m{suffix}", kind))
    assert classifier.contract.pixels.value == said
    assert "it begins with" in classifier.contract.pixels.why
    agree(classifier, kind.answer(PIXELS.astype(np.float64) / divided_by), PIXELS, within=1e-4)


NUMBERS = {
    "float": (1, [0.5], 0.5),
    "double": (11, [0.5], 0.5),
    "float16": (10, [0.5], 0.5),
    "uint8": (2, [200], 200.0),
    "int8": (3, [-7], -7.0),
    "int32": (6, [128], 128.0),
    "int64": (7, [-5], -5.0),
    "bfloat16": (16, [0.5], None),
    "empty": (1, [], None),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("raw", [False, True])
def test_the_number_of_a_first_scaling_is_read_however_it_is_stored(tmp_path: Path, name: str, raw: bool) -> None:
    onnx = needs.package("onnx")
    kind, values, expected = NUMBERS[name]
    number = onnx.helper.make_tensor("number", kind, [len(values)], values)
    if raw:
        array = onnx.numpy_helper.to_array(number)
        number = onnx.helper.make_tensor("number", kind, array.shape, array.tobytes(), raw=True)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Sub", ["image", "number"], ["answer"])],
        "stranger",
        [onnx.helper.make_tensor_value_info("image", kind, [1, 4, 4, 3])],
        [onnx.helper.make_tensor_value_info("answer", kind, [1, 4, 4, 3])],
        [number],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    assert read_onnx_facts(path.read_bytes()).first_scaling == FirstScaling("Sub", expected)


@pytest.mark.parametrize(("step", "expected"), [(1.0, FirstScaling("QuantizeLinear", 255)), (1 / 255, None)])
def test_a_step_of_a_grey_level_is_for_pixels_0_to_255(
    tmp_path: Path, step: float, expected: FirstScaling | None
) -> None:
    onnx = needs.package("onnx")
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["image", "shape"], ["first"]),
            helper.make_node("QuantizeLinear", ["first", "step", "zero"], ["bytes"]),
            helper.make_node("DequantizeLinear", ["bytes", "step", "zero"], ["again"]),
            helper.make_node("Relu", ["again"], ["answer"]),
        ],
        "stranger",
        [helper.make_tensor_value_info("image", 1, [1, 4, 4, 1])],
        [helper.make_tensor_value_info("answer", 1, [1, 1, 4, 4])],
        [
            helper.make_tensor("shape", 7, [4], [1, 1, 4, 4]),
            helper.make_tensor("step", 1, [], [step]),
            helper.make_tensor("zero", 2, [], [0]),
        ],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert read_onnx_facts(path.read_bytes()).first_scaling == expected


@pytest.mark.parametrize("first", [("Add", 1.0), ("Mul", 0.5), ("Div", 2.0), ("Sub", 0.02), ("Mul", 0.0)])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_first_scaling_that_other_pixels_have_too_is_asked_for(
    tmp_path: Path, suffix: str, first: tuple[str, float]
) -> None:
    """As of a network that takes -1…1 and brings it to 0…1, or whose first mean is that of no pixels."""
    with pytest.raises(PixelRangeError):
        Classifier.open(_write(tmp_path / f"m{suffix}", ThirdParty(first=first)))


def test_a_first_scaling_by_a_number_that_is_not_in_the_file_is_asked_for(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(first=("Sub", 0.485), gain=0.01))
    model = onnx.load(path)
    (number,) = (tensor for tensor in model.graph.initializer if tensor.name == "number")
    onnx.external_data_helper.set_external_data(number, "m.data")
    onnx.save(model, path)
    assert (tmp_path / "m.data").exists()
    with pytest.raises(PixelRangeError):
        Classifier.open(path)


# The range that a model quantizes its float input to, and the pixels that this is for; None: they are asked for.
QUANTIZED_TO = {
    "unit": ((1 / 255, -128), "0…1"),
    "calibrated on dark images": ((0.9 / 255, -128), "0…1"),
    "signed unit": ((2 / 255, 0), "-1…1"),
    "bytes": ((1.0, -128), "0…255"),
    "mean and deviation": ((4.76 / 255, -15), "ImageNet's mean and deviation"),
    "MFCC": ((0.5847, 83), None),
    "one half": ((0.5 / 255, -128), None),
}


@pytest.mark.parametrize("name", QUANTIZED_TO)
def test_the_range_that_a_float_input_is_quantized_to_says_what_it_takes(tmp_path: Path, name: str) -> None:
    (scale, zero_point), expected = QUANTIZED_TO[name]
    path = write_tflite(tmp_path / "m.tflite", ThirdParty(quantized_to=(scale, zero_point)))
    if expected is None:
        with pytest.raises(PixelRangeError):
            Classifier.open(path)
    else:
        told = Classifier.open(path).contract.pixels
        assert told.value.startswith(f"{expected}, ")
        assert "it quantizes them to" in told.why


@pytest.mark.parametrize(
    ("props", "by_hand"),
    [
        ({"Image.NominalPixelRange": "NominalRange_0_255", "Image.BitmapPixelFormat": "Bgr8"}, lambda x: x[..., ::-1]),
        ({"Image.NominalPixelRange": "Normalized_0_1", "Image.BitmapPixelFormat": "Rgb8"}, lambda x: x / 255),
        ({"Image.NominalPixelRange": "Normalized_1_1"}, lambda x: x / 127.5 - 1),
    ],
)
def test_the_pixels_of_the_standards_properties_are_taken(
    tmp_path: Path, props: dict[str, str], by_hand: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    kind = ThirdParty(gain=0.01)
    classifier = Classifier.open(write_onnx(tmp_path / "m.onnx", kind, props=props))
    agree(classifier, kind.answer(by_hand(PIXELS.astype(np.float64))), PIXELS, within=1e-4)
    assert classifier.contract.pixels.origin is Origin.METADATA


@pytest.mark.parametrize("name", QUANTIZED)
def test_the_bytes_of_a_quantized_input_are_the_pixels(tmp_path: Path, name: str) -> None:
    dtype, scale, zero_point = QUANTIZED[name]
    # The stored byte is the pixel; of int8, the pixel less 128.
    real = (PIXELS - (128.0 if dtype == "int8" else 0.0) - zero_point) * scale
    for axes in ("nhwc", "nchw"):
        kind = ThirdParty(axes=axes, dtype=dtype, scale=scale, zero_point=zero_point)
        classifier = Classifier.open(write_tflite(tmp_path / "m.tflite", kind))
        agree(classifier, kind.answer(real), PIXELS, within=1e-4)


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_scaling_given_for_a_quantized_input_is_quantized(tmp_path: Path, name: str) -> None:
    dtype, scale, zero_point = QUANTIZED[name]
    limits = np.iinfo(dtype)
    wanted = (PIXELS - np.array([120.3, 110.3, 100.3])) / 61.7  # without ties in rounding
    real = (np.clip(np.round(wanted / scale) + zero_point, limits.min, limits.max) - zero_point) * scale
    kind = ThirdParty(dtype=dtype, scale=scale, zero_point=zero_point)
    classifier = Classifier.open(write_tflite(tmp_path / "m.tflite", kind), mean=(120.3, 110.3, 100.3), std=61.7)
    agree(classifier, kind.answer(real), PIXELS, within=1e-4)


def test_int16_and_symmetric_int8_that_reach_255_take_255(tmp_path: Path) -> None:
    for dtype, scale in (("int16", 255 / 32767), ("int8", 255 / 127)):
        kind = ThirdParty(dtype=dtype, scale=scale)
        real = np.round(PIXELS / scale) * scale
        classifier = Classifier.open(write_tflite(tmp_path / "m.tflite", kind))
        agree(classifier, kind.answer(real), PIXELS, within=5e-3)
        assert "its numbers reach" in classifier.contract.pixels.why


HEADS = ("softmax", "logits", "sigmoid", "logit", "log_softmax")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_every_output_becomes_probabilities(tmp_path: Path, suffix: str, head: str) -> None:
    form_by_head = {"softmax": "probabilities", "sigmoid": "probabilities"}
    dtypes = ("float32", "uint8", "int8") if suffix == ".tflite" else ("float32", "float16", "float64", "uint8")
    for output, dtype in itertools.product(("nc", "n11c", "c"), dtypes):
        if suffix == ".tflite" and head == "log_softmax" and dtype != "float32":
            continue
        scale, zero = (1 / 256, 0) if head in form_by_head else (0.05, 128)
        if dtype == "int8":
            zero -= 128
        kind = ThirdParty(head=head, output=output, output_dtype=dtype, output_scale=scale, output_zero_point=zero)
        classifier = Classifier.open(_write(tmp_path / f"m{suffix}", kind), scale="1/255")
        coarse = {"float32": 1e-5, "float64": 1e-5, "float16": 2e-3}.get(dtype, 3e-2)
        agree(classifier, kind.answer(PIXELS / 255), PIXELS, within=coarse)
        told = classifier.contract.output
        assert told.origin is Origin.MODEL, (output, dtype, told)
        assert told.value.startswith(form_by_head.get(head, "logits" if head != "log_softmax" else "logarithms"))


@pytest.mark.parametrize("axes", ["nhwc", "nchw", "nhw", "hwc", "chw", "flat"])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_every_layout(tmp_path: Path, suffix: str, axes: str) -> None:
    for channels in (1, 3):
        if (axes == "nhw" and channels == 3) or (axes == "chw" and channels == 1):
            continue
        kind = ThirdParty(axes=axes, channels=channels)
        arguments = {"imgsz": (HEIGHT, WIDTH)} if axes == "flat" else {}
        classifier = Classifier.open(_write(tmp_path / f"m{suffix}", kind), scale="1/255", **arguments)
        pixels = PIXELS if channels == 3 else GREY
        agree(classifier, kind.answer(pixels / 255), pixels, within=1e-5)


@pytest.mark.parametrize("axes", ["nhwc", "nchw"])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_every_batch_and_open_sizes(tmp_path: Path, suffix: str, axes: str) -> None:
    for batch, open_size in ((1, False), (4, False), (None, False), (None, True), (1, True)):
        if suffix == ".tflite" and open_size and batch == 1:
            continue
        kind = ThirdParty(axes=axes, batch=batch, open_size=open_size)
        path = _write(tmp_path / f"m{suffix}", kind)
        if open_size:
            with pytest.raises(InputError, match="--imgsz"):
                Classifier.open(path, scale="1/255")
        classifier = Classifier.open(path, scale="1/255", imgsz=(HEIGHT, WIDTH) if open_size else None)
        agree(classifier, kind.answer(PIXELS / 255), PIXELS, within=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32"])
def test_other_numbers_of_onnx(tmp_path: Path, dtype: str) -> None:
    kind = ThirdParty(dtype=dtype, axes="nchw")
    classifier = Classifier.open(write_onnx(tmp_path / "m.onnx", kind), scale=1 if "int" in dtype else "1/255")
    values = PIXELS if "int" in dtype else PIXELS / 255
    agree(classifier, kind.answer(values), PIXELS, within=2e-3 if dtype == "float16" else 1e-5)


def test_a_grey_picture_for_three_channels(tmp_path: Path) -> None:
    kind = ThirdParty()
    classifier = Classifier.open(write_onnx(tmp_path / "m.onnx", kind), scale="1/255", colour="grey", layout="nhwc")
    agree(classifier, kind.answer(np.repeat(GREY, 3, axis=3) / 255), GREY, within=1e-5)


def test_the_labels_of_the_caller_of_the_file_and_of_nobody(tmp_path: Path) -> None:
    kind = ThirdParty()
    path = write_onnx(tmp_path / "m.onnx", kind)
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\n")
    for labels in (LABELS, "ant,bee,cat", tmp_path / "labels.txt", str(tmp_path / "labels.txt")):
        assert Classifier.open(path, labels=labels, scale="1/255").labels == LABELS
    nobody = Classifier.open(path, scale="1/255")
    assert nobody.labels == ("class 0", "class 1", "class 2")
    assert nobody.contract.labels.origin is Origin.ASSUMED
    for props in (
        {"names": "{0: 'ant', 1: 'bee', 2: 'cat'}"},
        {"labels": "ant,bee,cat"},
        {"character": "ant\nbee\ncat"},
        {"id2label": '{"1": "bee", "0": "ant", "2": "cat"}'},
        {"classes": '["ant", "bee", "cat"]'},
    ):
        told = Classifier.open(write_onnx(path, kind, props=props), scale="1/255")
        assert (told.labels, told.contract.labels.origin) == (LABELS, Origin.METADATA)
    # Labels that are too few are not taken on trust, and a word says why.
    other = Classifier.open(write_onnx(path, kind, props={"labels": "ant,bee"}), scale="1/255")
    assert "2 labels for 3 classes" in str(other.contract.labels)
    twice = Classifier.open(path, labels=("crane", "ant", "crane"), scale="1/255")
    assert twice.labels == ("crane (0)", "ant", "crane (2)")
    assert "occur twice" in str(twice.contract.labels)


def test_everything_assumed_is_told(tmp_path: Path) -> None:
    classifier = Classifier.open(write_tflite(tmp_path / "m.tflite", ThirdParty(first=("Sub", 0.5))))
    assert [sentence.partition(":")[0] for sentence in classifier.contract.assumed] == [
        "labels",
        "colour",
        "pixels",
        "resize",
        "interpolation",
        "background",
    ]
    said = Classifier.open(
        tmp_path / "m.tflite",
        labels=LABELS,
        preprocess="tf",
        colour="rgb",
        resize="crop",
        resize_size=6,
        interpolation="bilinear-no-antialias",
        background="0,128,255",
        layout="nhwc",
    )
    assert said.contract.assumed == ()
    spec = InputSpec(
        HEIGHT,
        WIDTH,
        Colour.RGB,
        Resize.CROP,
        (0, 128, 255),
        interpolation=Interpolation.BILINEAR_NO_ANTIALIAS,
        resize_size=6,
    )
    assert said.manifest.input == spec
    assert said.contract.resize.value == "crop, after the shorter side is resized to 6"
    assert (said.contract.interpolation.value, said.contract.background.value) == ("bilinear-no-antialias", "0,128,255")
    # What a transparent pixel shows.
    clear = Image.new("RGBA", (WIDTH, HEIGHT), (9, 9, 9, 0))
    shown = said.predict_proba(np.full((HEIGHT, WIDTH, 3), (0, 128, 255), np.uint8))
    assert np.array_equal(said.predict(clear).probabilities, shown)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"interpolation": "lanczos"}, "--interpolation: expected one of bilinear, .* got 'lanczos'"),
        ({"interpolation": "bilinear-no-antialiasing"}, "did you mean bilinear-no-antialias"),
        (
            {"resize": "pad", "resize_size": 6},
            "--resize-size: expected --resize crop beside it, or none, got --resize pad",
        ),
        ({"resize_size": 3}, "--resize-size: expected 5 or more, the longer side of the crop 5x4, .*got 3"),
        ({"background": "no colour"}, "--background: expected a colour, as white, .* got 'no colour'"),
        ({"background": (1, 2)}, "--background: expected a colour"),
        ({"background": "1,2,256"}, "--background: expected a colour"),
    ],
)
def test_a_policy_that_is_none_is_refused(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    path = write_tflite(tmp_path / "m.tflite", ThirdParty())
    with pytest.raises(InputError, match=message):
        Classifier.open(path, **said)


@pytest.mark.parametrize(
    ("given", "colour"), [("white", (255, 255, 255)), ("#102030", (16, 32, 48)), ([1, 2, 3], (1, 2, 3))]
)
def test_a_colour_is_given_as_the_field_writes_it(given: Any, colour: tuple[int, int, int]) -> None:
    assert ImageFit.of(background=given).background == colour


REFUSED = [
    ({"labels": "a,b"}, {}, "labels: expected 3, one for each output, got 2"),
    ({"labels": ("a", "", "c")}, {}, "expected names .* that can be printed"),
    ({"labels": "missing.txt"}, {}, "not found"),
    ({"std": 0}, {}, "--std: expected numbers above 0"),
    ({"mean": "1,2"}, {}, "--mean: expected one number or three"),
    ({"mean": "nan"}, {}, "--mean: expected one number or three"),
    ({"scale": 1e38}, {}, "--scale: expected one number or three"),
    ({"preprocess": "tf", "mean": 1}, {}, "--preprocess: expected alone"),
    ({"preprocess": "x"}, {}, "--preprocess: expected one of caffe, tf, torch, per-image, none"),
    ({"preprocess": "caffe", "colour": "rgb"}, {}, "--colour bgr beside it"),
    ({"colour": "blue"}, {}, "--colour: expected one of rgb, bgr, grey"),
    ({"layout": "hwcn"}, {}, "--layout: expected one of nhwc, nchw"),
    ({"layout": "nchw"}, {}, "--layout nchw: expected 1 or 3 channels"),
    ({"resize": "zoom"}, {}, "--resize: expected one of squash, crop, pad"),
    ({"imgsz": 7}, {}, "--imgsz: expected height 5"),
    ({"imgsz": 0}, {}, "--imgsz: expected 1 or more"),
    ({"output_is": "labels"}, {}, "--output-is: expected one of logits, probabilities"),
    ({"colour": "rgb"}, {"channels": 1}, "--colour: expected grey"),
    ({"mean": (1, 2, 3)}, {"channels": 1}, "one number for a grey image"),
    ({"provider": "cuda"}, {}, "--provider cuda"),
    ({"provider": "gpu"}, {}, "--provider: expected one of cpu, cuda, tensorrt"),
    ({"mode": "fast"}, {}, "mode: expected one of throughput, latency"),
    ({}, {"channels": 4}, "expected 1 channel .grey. or 3"),
    ({}, {"channels": 2}, "expected 1 channel .grey. or 3"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), REFUSED)
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_what_does_not_fit_is_refused(
    tmp_path: Path, suffix: str, arguments: dict[str, object], kind: dict[str, int], message: str
) -> None:
    path = _write(tmp_path / f"m{suffix}", ThirdParty(**kind))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        Classifier.open(path, **arguments)  # type: ignore[arg-type]


def test_nan_is_no_answer(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(gain=float("nan")))
    with pytest.raises(ModelError, match="NaN"):
        Classifier.open(path)


def _write(path: Path, kind: ThirdParty) -> Path:
    return write_tflite(path, kind) if path.suffix == ".tflite" else write_onnx(path, kind)


def test_a_graph_made_for_one_image_behind_an_open_batch_runs_image_by_image(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    kind = ThirdParty(axes="nchw")
    path = write_onnx(tmp_path / "m.onnx", kind)
    model = onnx.load(path)
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, path)
    agree(Classifier.open(path, scale="1/255"), kind.answer(PIXELS / 255), PIXELS, within=1e-5)


# What the field's metadata writer would write for this model; `metadata_schema.fbs` by hand, as the exporter does it.
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8"])
def test_the_official_metadata_is_read(tmp_path: Path, dtype: str) -> None:
    from edgecnn_export.tflite.manifest import embed_in_tflite

    scale, zero = {"float32": (None, 0), "int8": (1 / 255, -128), "uint8": (1 / 255, 0)}[dtype]
    kind = ThirdParty(dtype=dtype, scale=scale, zero_point=zero)
    path = write_tflite(tmp_path / "m.tflite", kind)
    spec = InputSpec(HEIGHT, WIDTH, Colour.RGB)
    with_files = embed_in_tflite(path.read_bytes(), Manifest("other", LABELS, spec, Scheme.FLOAT32))
    path.write_bytes(with_files)
    # Without the manifest, as another tool writes it: the labels stay.
    with zipfile.ZipFile(path) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    stream = io.BytesIO(with_files[:start])
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", "\n".join(LABELS) + "\n")
    path.write_bytes(stream.getvalue())
    classifier = Classifier.open(path)
    assert classifier.labels == LABELS
    told = classifier.contract
    assert (told.labels.origin, told.colour.origin, told.pixels.origin) == (Origin.METADATA,) * 3
    assert [sentence.split(":")[0] for sentence in told.assumed] == ["resize", "interpolation", "background"]
    # The exporter writes a mean of 0 and a deviation of 1.
    real = {"float32": PIXELS.astype(float), "int8": np.full(PIXELS.shape, 1.0), "uint8": PIXELS / 255}[dtype]
    if dtype == "int8":
        real = (np.clip(PIXELS * 255.0 - 128, -128, 127) + 128) / 255
    agree(classifier, kind.answer(real), PIXELS, within=1e-3)


def test_damaged_metadata_is_none(tmp_path: Path) -> None:
    path = write_tflite(tmp_path / "m.tflite", ThirdParty())
    content = path.read_bytes()
    for size in (0, 3, 20, 200):
        path.write_bytes(content[: len(content) - 1] + bytes(size))
        assert read_tflite_facts(path.read_bytes()).metadata.labels is None


def test_the_command_line_says_what_is_assumed_once(tmp_path: Path) -> None:
    path = write_tflite(tmp_path / "m.tflite", ThirdParty(first=("Sub", 0.5)))
    Image.fromarray(PIXELS[0]).save(tmp_path / "image.png")
    command = [sys.executable, "-m", "edgecnn", "predict", str(path), str(tmp_path / "image.png"), "--json"]
    environment = {**os.environ, "EDGECNN_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [line for line in done.stderr.splitlines() if line.startswith("assumed: ")]
    assert [line.split(":")[1].strip() for line in lines] == [
        "labels", "colour", "pixels", "resize", "interpolation", "background",
    ]  # fmt: skip
    assert json.loads(done.stdout)["label"].startswith("class ")
    said = [*command, "--labels", "a,b,c", "--preprocess", "tf", "--color", "bgr", "--resize", "pad"]
    said += ["--interpolation", "nearest", "--background", "black"]
    done = subprocess.run(said, capture_output=True, text=True, check=True, env=environment)
    assert "assumed" not in done.stderr
    expected = Classifier.open(
        path, labels="a,b,c", preprocess="tf", colour="bgr", resize="pad", interpolation="nearest", background="black"
    ).predict(PIXELS[0])
    assert json.loads(done.stdout)["label"] == expected.label


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_pixels_of_which_nobody_says_anything_are_asked_for(tmp_path: Path, suffix: str, channels: int) -> None:
    # Whatever its answers look like: at 0…1 or at 0…255 they may all be the same.
    for gain in (0.3, 0.3 / 255, 30.0):
        path = _write(tmp_path / f"m{suffix}", ThirdParty(channels=channels, gain=gain))
        with pytest.raises(PixelRangeError, match="the file does not say; give what it was trained with") as caught:
            Classifier.open(path)
        assert str(path) in str(caught.value)
        of_colours = ["--preprocess torch", "--preprocess caffe"] if channels == 3 else []
        options = ["--scale 1/255", "--preprocess tf", "--preprocess none", *of_colours]
        assert [one.option for one in caught.value.ranges] == options
        assert all(option in str(caught.value) for option in options)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.ranges) == (str(caught.value), caught.value.ranges)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_the_command_line_shows_a_photos_answer_under_each_range(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"m{suffix}", ThirdParty())
    (tmp_path / "a damaged.png").write_bytes(b"no image")
    Image.fromarray(PIXELS[0]).save(tmp_path / "image.png")
    command = ["predict", str(path), str(tmp_path), "--labels", "ant,bee,cat"]
    environment = {**os.environ, "EDGECNN_HOME": str(tmp_path / "home")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edgecnn", *words], capture_output=True, text=True, check=False, env=environment
        )

    done = run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    first, *lines = done.stderr.splitlines()
    assert f"type the line whose answer to {tmp_path / 'image.png'} is right" in first
    assert len(lines) == 5
    for line in lines:
        answer, typed = line.split("edgecnn ")
        words = shlex.split(typed)
        assert words[: len(command)] == command
        taken = dict(zip(words[len(command) :: 2], words[len(command) + 1 :: 2], strict=True))
        given = {option.removeprefix("--"): value for option, value in taken.items()}
        (label, probability), *_ = Classifier.open(path, labels="ant,bee,cat", **given).predict(PIXELS[0]).top(1)
        assert answer.split()[:2] == [label, f"{probability:.2f},"]
    # A line that was typed is not asked again.
    done = run(*shlex.split(lines[0].split("edgecnn ")[1]), "--quiet")
    assert (done.returncode, "type the line" in done.stderr) == (1, False)  # of the damaged image


def test_without_a_photo_the_lines_are_shown_or_named(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", ThirdParty())

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "edgecnn", *words, str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "EDGECNN_HOME": str(tmp_path / "home")},
        )
        return done.returncode, done.stdout, done.stderr

    code, _, said = run("serve", "--port", "0")
    assert code == 2
    assert f"edgecnn serve --port 0 {path} --preprocess torch" in said
    code, _, said = run("bench", "--output", str(tmp_path / "bench"))
    assert code == 1
    assert "give what it was trained with: --scale 1/255" in said
    code, shown, _ = run("inspect", "--json")
    assert (code, "--preprocess torch" in json.loads(shown)["pixels"]) == (0, True)
    # Of what `verify` cannot check nobody is asked for its pixels.
    code, _, said = run("verify")
    assert (code, "expected a golden check in the manifest, got none" in said) == (2, True)


def test_one_label_for_nearly_all_images_is_warned_of(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(gain=0))
    (tmp_path / "shots").mkdir()
    for number in range(20):
        Image.fromarray(PIXELS[number % 6]).save(tmp_path / "shots" / f"{number}.png")
    output = tmp_path / "results.csv"
    command = ["predict", path, tmp_path / "shots", "--labels", "ant,bee,cat", "--scale", "1/255", "--output", output]
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", *map(str, command)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "EDGECNN_HOME": str(tmp_path / "home")},
    )
    assert "warning: 20 of 20 images are ant; if they should not be" in done.stderr
    # What was assumed stays with the results.
    header = json.loads((tmp_path / "results.csv.run.json").read_text())
    assert [sentence.partition(":")[0] for sentence in header["assumed"]] == [
        "colour",
        "resize",
        "interpolation",
        "background",
    ]


def _with_outputs(
    path: Path, kind: ThirdParty, *outputs: tuple[str, int, list[int]], nodes: Sequence[Any] = ()
) -> Path:
    """Write a model with other outputs: name, type and shape of each; `nodes` make those that are not there."""
    onnx = needs.package("onnx")
    model = onnx.load(write_onnx(path, kind))
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(*output) for output in outputs)
    onnx.save(model, path)
    return path


_FLOAT, _INT64 = 1, 7  # of ONNX's data types
_LOGITS, _ANSWER, _PRODUCT = (("logits", _FLOAT, [1, 3]), ("answer", _FLOAT, [1, 3]), ("product", _FLOAT, [1, 3]))
_PIXELS_AGAIN, _ROWS = ("float", _FLOAT, [1, HEIGHT, WIDTH, 3]), ("flat", _FLOAT, [1, HEIGHT * WIDTH * 3])

# Outputs of a model, what the caller says, and the one with the scores.
CHOSEN = {
    "probabilities beside logits": ((_LOGITS, _ANSWER), {}, "answer"),
    "probabilities beside an image": ((_PIXELS_AGAIN, _ANSWER), {}, "answer"),
    "probabilities beside both": ((_PIXELS_AGAIN, _LOGITS, _ANSWER), {}, "answer"),
    "the number of the class beside logits": ((_LOGITS, ("index", _INT64, [1])), {}, "logits"),
    "the number of the class before probabilities": ((("index", _INT64, [1]), _ANSWER), {}, "answer"),
    "logits beside the score of the winner": ((("most", _FLOAT, [1, 1]), _LOGITS), {}, "logits"),
    "logits beside features": ((_ROWS, _LOGITS), {}, "logits"),
    "as many as there are labels": ((("wide", _FLOAT, [1, 4]), _LOGITS), {"labels": LABELS}, "logits"),
    "the one that is named": ((_LOGITS, _PRODUCT), {"output_name": "logits"}, "logits"),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_of_several_outputs_the_scores_are_taken(tmp_path: Path, name: str) -> None:
    onnx = needs.package("onnx")
    outputs, given, expected = CHOSEN[name]
    nodes = [
        onnx.helper.make_node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0),
        onnx.helper.make_node("Constant", [], ["pads"], value_ints=[0, 0, 0, 1]),
        onnx.helper.make_node("Pad", ["logits", "pads"], ["wide"]),
        onnx.helper.make_node("ReduceMax", ["logits"], ["most"], axes=[1]),
    ]
    kind = ThirdParty()
    path = _with_outputs(tmp_path / "m.onnx", kind, *outputs, nodes=nodes)
    classifier = Classifier.open(path, scale="1/255", **given)
    agree(classifier, kind.answer(PIXELS / 255), PIXELS, within=1e-5)
    assert f"from {expected}" in classifier.contract.output.value


def test_a_number_beside_the_scores_of_a_tflite_file(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    weights = np.random.default_rng(1).normal(size=(3, 60)).astype(np.float32)
    tensors = [
        TinyTensor((1, HEIGHT, WIDTH, 3), "float32"), numbers(1, 60), TinyTensor((1, 60), "float32"),
        TinyTensor((3, 60), "float32", weights), TinyTensor((1, 3), "float32"), numbers(1), TinyTensor((1,), "int64"),
    ]  # fmt: skip
    operators = [
        TinyOperator("RESHAPE", (0, 1), (2,), schema.ReshapeOptionsT()),
        TinyOperator("FULLY_CONNECTED", (2, 3, -1), (4,), schema.FullyConnectedOptionsT()),
        TinyOperator("ARG_MAX", (4, 5), (6,), schema.ArgMaxOptionsT(), {"outputType": schema.TensorType.INT64}),
    ]
    path = tiny_tflite(tmp_path / "m.tflite", tensors, operators, outputs=(6, 4))
    logits = PIXELS.reshape(6, -1) / 255 @ weights.T
    found = Classifier.open(path, scale="1/255").predict_proba(PIXELS)
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-5)


# What is no classifier of images, and the words that name it.
NO_CLASSIFIERS = {
    "a picture": ((_PIXELS_AGAIN,), "a segmenter, or a network without its head.*detectors and segmenters"),
    "two rows of logits": ((_LOGITS, _PRODUCT), "got several.*--output-name logits$"),
    "features": ((("pooled", _FLOAT, [1, 3, 1, 1]),), "3 features, as it ends in GlobalAveragePool"),
    "an embedding": ((("unit", _FLOAT, [1, 3]),), "got an embedding: 3 numbers of length 1"),
    "steps": ((("steps", _FLOAT, [1, 12, 5]),), r"classes for each of several steps: a text recognizer \(CTC\)"),
    "boxes": ((("boxes", _FLOAT, [1, 15, 4]), ("steps", _FLOAT, [1, 12, 5])), "an object detector"),
    "the best scores": ((("best", _FLOAT, [1, 2]), ("places", _INT64, [1, 2])), r"in their order \(TopK\)"),
    "heads": ((_LOGITS, _PRODUCT, ("third", _FLOAT, [1, 3])), "heads of equal size, as of a reader of several charac"),
    "the number alone": ((("index", _INT64, [1]),), "the number of the class without its scores"),
}


@pytest.mark.parametrize("name", NO_CLASSIFIERS)
@pytest.mark.parametrize("scaling", [{}, {"scale": "1/255"}])
def test_what_is_no_classifier_is_refused_by_its_name(tmp_path: Path, name: str, scaling: dict[str, str]) -> None:
    onnx = needs.package("onnx")
    outputs, message = NO_CLASSIFIERS[name]

    def node(*arguments: Any, **attributes: Any) -> Any:
        return onnx.helper.make_node(*arguments, **attributes)

    nodes = [
        node("ArgMax", ["logits"], ["index"], axis=1, keepdims=0),
        node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", ["first"], ["pooled"]),
        node("Constant", [], ["two"], value_ints=[2]),
        node("TopK", ["logits", "two"], ["best", "places"]),
        node("Add", ["product", "bias"], ["third"]),
        node("LpNormalization", ["logits"], ["unit"], axis=1),
        node("Constant", [], ["steps_shape"], value_ints=[1, 12, 5]),
        node("Reshape", ["flat", "steps_shape"], ["steps"]),
        node("Constant", [], ["boxes_shape"], value_ints=[1, 15, 4]),
        node("Reshape", ["flat", "boxes_shape"], ["boxes"]),
    ]
    path = _with_outputs(tmp_path / "m.onnx", ThirdParty(), *outputs, nodes=nodes)
    # Nobody is asked for the pixels of what would be refused with them.
    with pytest.raises(ModelError, match=message):
        Classifier.open(path, **scaling)  # type: ignore[arg-type]


def test_inputs_that_are_no_images_are_refused_by_their_names(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    helper = onnx.helper
    cases = {
        (("input_ids", _INT64, (1, 16)),): "the tokens of a text",
        (("input_ids", _INT64, (1, 16)), ("attention_mask", _INT64, (1, 16))): "got 2 .*the tokens of a text",
        (("x", _INT64, (1, 16)),): "rows of integers",
        (("image", _FLOAT, (1, 3, 4, 4)), ("hidden_state", _FLOAT, (1, 8))): "the state of a recurrent network",
        (("log_mel", _FLOAT, (1, 1, 64, 96)),): "sound.*add --colour",
        (("x", _FLOAT, (1, 49, 10, 1)),): "49x10 numbers, as the spectrum of a sound.*--colour grey",
    }
    for inputs, message in cases.items():
        graph = helper.make_graph(
            [
                helper.make_node("Cast", [inputs[0][0]], ["float"], to=1),
                helper.make_node("Flatten", ["float"], ["rows"]),
                helper.make_node("Softmax", ["rows"], ["answer"]),
            ],
            "stranger",
            [helper.make_tensor_value_info(*one) for one in inputs],
            [helper.make_tensor_value_info("answer", 1, [1, int(np.prod(inputs[0][2]))])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match=message):
            Classifier.open(tmp_path / "m.onnx", scale="1/255")
    # Who says that it is a grey image knows better.
    assert Classifier.open(tmp_path / "m.onnx", scale="1/255", colour="grey").backend.input_shape == (49, 10, 1)


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ("edgetpu-custom-op", "compiled for the Coral Edge TPU .*add --delegate libedgetpu.so.1"),
        ("FlexErf", "expected operators of TFLite, got those of TensorFlow .FlexErf."),
        ("MyNorm", "expected a model without custom operators, got MyNorm"),
    ],
)
def test_operators_of_their_makers_are_named(tmp_path: Path, operator: str, message: str) -> None:
    tensors = [TinyTensor((1, HEIGHT, WIDTH, 3), "float32"), TinyTensor((1, 3), "float32")]
    path = tiny_tflite(tmp_path / "m.tflite", tensors, [TinyOperator(operator, (0,), (1,))])
    with pytest.raises(ModelError, match=f"{path}: .*{message}"):
        Classifier.open(path, scale="1/255")


def test_custom_operators_of_onnx_are_named(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    path = write_onnx(tmp_path / "m.onnx", ThirdParty())
    model = onnx.load(path)
    model.graph.node[-1].domain, model.graph.node[-1].op_type = "my.company", "MyHead"
    model.opset_import.append(onnx.helper.make_opsetid("my.company", 1))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"expected a model without custom operators, got my\.company\.MyHead"):
        Classifier.open(path, scale="1/255")


def stateful_tflite(path: Path) -> Path:
    """Write a model that adds what it saw before: SVDF keeps the features of the last image in a variable tensor."""
    from ai_edge_litert import schema_py_generated as schema

    weights = np.random.default_rng(7).normal(0, 0.3, (3, 60)).astype(np.float32)
    tensors = [
        TinyTensor((1, HEIGHT, WIDTH, 3), "float32"), numbers(1, 60), TinyTensor((1, 60), "float32"),
        TinyTensor((3, 60), "float32", weights), TinyTensor((3, 2), "float32", np.ones((3, 2), np.float32)),
        TinyTensor((1, 6), "float32", variable=True), TinyTensor((1, 3), "float32"), TinyTensor((1, 3), "float32"),
    ]  # fmt: skip
    operators = [
        TinyOperator("RESHAPE", (0, 1), (2,), schema.ReshapeOptionsT()),
        TinyOperator("SVDF", (2, 3, 4, -1, 5), (6,), schema.SVDFOptionsT(), {"rank": 1}),
        TinyOperator("SOFTMAX", (6,), (7,), schema.SoftmaxOptionsT(), {"beta": 1}),
    ]
    return tiny_tflite(path, tensors, operators)


def test_no_image_changes_the_answer_to_the_next(tmp_path: Path) -> None:
    path = stateful_tflite(tmp_path / "m.tflite")
    alone = [Classifier.open(path, scale="1/255").predict_proba(image) for image in PIXELS]
    assert np.ptp(alone, axis=0).max() > 0.1  # of images that differ
    classifier = Classifier.open(path, scale="1/255")
    np.testing.assert_array_equal(classifier.predict_proba(PIXELS), alone)
    np.testing.assert_array_equal(classifier.predict_proba(PIXELS[::-1]), alone[::-1])
    files = [tmp_path / f"{number}.png" for number in range(len(PIXELS))]
    for file, image in zip(files, PIXELS, strict=True):
        Image.fromarray(image).save(file)
    for workers in (1, 2):
        items = classifier.predict_many(files * 3, workers=workers)
        probabilities = [item.prediction.probabilities for item in items if item.prediction is not None]
        np.testing.assert_array_equal(probabilities, alone * 3)


def test_an_answer_that_changes_from_run_to_run_is_refused(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(head="logits"))
    model = onnx.load(path)
    # As Dropout, exported for training, does.
    noise = onnx.helper.make_node("RandomNormalLike", ["logits"], ["noise"], scale=3.0)
    noisy = onnx.helper.make_node("Add", ["logits", "noise"], ["noisy"])
    (head,) = (node for node in model.graph.node if node.output[0] == "head")
    head.input[0] = "noisy"
    place = list(model.graph.node).index(head)
    model.graph.node.insert(place, noisy)
    model.graph.node.insert(place, noise)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="expected the same answer to the same image, got another the second time"):
        Classifier.open(path, scale="1/255")
