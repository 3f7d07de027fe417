"""Models that others made: every kind of input and output against numpy."""

import io
import itertools
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from third_party_models import HEIGHT, LABELS, WIDTH, ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, Colour, InputError, InputSpec, Manifest, ModelError, Origin
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
    "nothing": ({}, lambda x: x / 255),
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


def test_a_scaling_of_which_nothing_is_known_takes_bytes(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(first=("Sub", 0.485), gain=0.01))
    model = onnx.load(path)
    (number,) = (tensor for tensor in model.graph.initializer if tensor.name == "number")
    onnx.external_data_helper.set_external_data(number, "m.data")
    onnx.save(model, path)
    assert (tmp_path / "m.data").exists()
    assert Classifier.open(path).contract.pixels.value == "0…255"


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
        assert Classifier.open(path, labels=labels).labels == LABELS
    nobody = Classifier.open(path)
    assert nobody.labels == ("class 0", "class 1", "class 2")
    assert nobody.contract.labels.origin is Origin.ASSUMED
    for props in ({"names": "{0: 'ant', 1: 'bee', 2: 'cat'}"}, {"labels": "ant,bee,cat"}):
        told = Classifier.open(write_onnx(path, kind, props=props))
        assert (told.labels, told.contract.labels.origin) == (LABELS, Origin.METADATA)
    # Labels that are too few are not taken on trust, and a word says why.
    other = Classifier.open(write_onnx(path, kind, props={"labels": "ant,bee"}))
    assert "2 labels for 3 classes" in str(other.contract.labels)
    twice = Classifier.open(path, labels=("crane", "ant", "crane"))
    assert twice.labels == ("crane (0)", "ant", "crane (2)")
    assert "occur twice" in str(twice.contract.labels)


def test_everything_assumed_is_told(tmp_path: Path) -> None:
    classifier = Classifier.open(write_tflite(tmp_path / "m.tflite", ThirdParty()))
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
    ({"labels": ("a", "", "c")}, {}, "names that can be printed"),
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
    path = write_tflite(tmp_path / "m.tflite", ThirdParty())
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


@pytest.mark.parametrize("head", ["softmax", "logits", "sigmoid"])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_model_that_is_blind_at_0_to_1_takes_0_to_255(tmp_path: Path, suffix: str, head: str) -> None:
    for gain, scale, told in ((0.3, 1 / 255, "0…1, pixels / 255"), (0.3 / 255, 1, "0…255"), (30.0, 1 / 255, "0…1")):
        kind = ThirdParty(head=head, gain=gain)
        classifier = Classifier.open(_write(tmp_path / f"m{suffix}", kind))
        assert classifier.contract.pixels.value.startswith(told)
        assert classifier.contract.pixels.origin is Origin.ASSUMED
        agree(classifier, kind.answer(PIXELS * scale), PIXELS, within=1e-3)


def test_of_several_outputs_the_classification_is_taken(tmp_path: Path) -> None:
    onnx = needs.package("onnx")
    kind = ThirdParty()
    path = write_onnx(tmp_path / "m.onnx", kind)
    model = onnx.load(path)
    float32 = onnx.TensorProto.FLOAT
    extra = {"logits": [1, 3], "float": [1, HEIGHT, WIDTH, 3]}
    for outputs in (["logits", "answer"], ["float", "answer"], ["float", "logits", "answer"]):
        del model.graph.output[:]
        for name in outputs:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, float32, extra.get(name, [1, 3])))
        onnx.save(model, path)
        classifier = Classifier.open(path, scale="1/255")
        agree(classifier, kind.answer(PIXELS / 255), PIXELS, within=1e-5)
        assert "from answer" in classifier.contract.output.value
    for outputs, message in ((["float"], "detectors and segmenters"), (["logits", "product"], "got several")):
        del model.graph.output[:]
        for name in outputs:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, float32, extra.get(name, [1, 3])))
        onnx.save(model, path)
        with pytest.raises(ModelError, match=message):
            Classifier.open(path)
