"""A third-party model through the real command line: a run folder, exported files, and what may be said of them."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import edgecnn_here
from PIL import Image
from tiny_imported import SIDE, probabilities_by_hand
from typer.testing import CliRunner

from edgecnn.app import command_line
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data

LABELS = ("red", "green", "blue")
# What has to be said of the network below, for float files.
GOOD = ("--labels", "a,b,c", "--scale", "1/255")


def write_colours(path: Path, *, folders: bool) -> Path:
    """Thirty noisy images, each of one colour; in a folder a colour, or all in one."""
    generator = np.random.default_rng(0)
    for number in range(30):
        pixels = generator.integers(0, 120, (20, 20, 3))
        pixels[..., number % 3] += 100
        folder = path / LABELS[number % 3] if folders else path
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    return path


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """One that names the strongest colour, for BGR with ImageNet's mean taken off; it gives logits."""
    image = keras.Input((SIDE, SIDE, 3))
    convolution = keras.layers.Conv2D(3, 1, name="first")
    x = keras.layers.GlobalAveragePooling2D()(convolution(image))
    logits = keras.layers.Dense(3, name="logits")
    network = keras.Model(image, logits(x))
    mean = np.array([103.939, 116.779, 123.68])
    convolution.set_weights([np.eye(3).reshape(1, 1, 3, 3), mean])
    # From blue, green, red to red, green, blue.
    logits.set_weights([np.eye(3)[::-1] / 10, np.zeros(3)])
    return network


def test_class_folders_give_an_accuracy(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "colours.keras")
    write_colours(tmp_path / "images", folders=True)
    words = ("export", "colours.keras", "--labels", ",".join(LABELS), "--preprocess", "caffe")
    printed = edgecnn_here(
        *words, "--calibration-data", "images", "-f", "tflite-int8", "-f", "onnx-float32", cwd=tmp_path
    )
    assert "100.00" in printed
    run = RunFolder(tmp_path / "runs/colours")
    record = run.read_record()
    assert record.recipe["name"] == "imported"
    assert record.recipe["output"] == "logits"
    index = {entry["format"]: entry for entry in json.loads((run.export / "export.json").read_text())["files"]}
    assert {name: entry["accuracy"]["correct"] for name, entry in index.items()} == {
        "tflite-int8": 15,
        "onnx-float32": 15,
    }

    # The device, from a photo of any size, against its author's own script on pixels prepared by hand.
    classifier = Classifier.open(run.exported("float32", ".onnx"))
    for path in sorted((tmp_path / "images").rglob("*.png"))[:3]:
        pixels = read_image(path, record.input).astype(np.float64)
        by_hand = (pixels[..., ::-1] - [103.939, 116.779, 123.68])[np.newaxis]
        expected = probabilities_by_hand(network, by_hand, "logits")
        np.testing.assert_allclose(classifier.predict_proba(read_image(path, record.input)), expected[0], atol=1e-5)
        assert classifier.predict(path).label == path.parent.name
    assert "Weighted F1 1.0000" in CliRunner().invoke(command_line(), ["evaluate", str(run.path)]).stdout


def test_a_network_that_was_trained_through_another_filter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It looks for white pixels, which antialiasing takes out of a fine texture: both sides would agree on nothing."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(1, 1, activation="relu", name="white")(keras.layers.Rescaling(1 / 255)(image))
    answer = keras.layers.Dense(2, activation="softmax", name="answer")(keras.layers.GlobalAveragePooling2D()(x))
    network = keras.Model(image, answer)
    network.get_layer("white").set_weights([np.full((1, 1, 3, 1), 1 / 3), np.array([-0.8])])
    network.get_layer("answer").set_weights([np.array([[-200.0, 200.0]]), np.array([5.0, -5.0])])
    network.save(tmp_path / "texture.keras")
    striped = np.tile(np.array([0, 255], np.uint8), (48, 24))
    for number in range(20):
        for label, pixels in (("plain", np.full((48, 48), 100 + number, np.uint8)), ("striped", striped)):
            (tmp_path / "images" / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.png")
    words = ("export", "texture.keras", "--labels", "plain,striped", "--calibration-data", "images", "--output", "run")
    said = edgecnn_here(*words, "-f", "tflite-float32", cwd=tmp_path)
    run = RunFolder(tmp_path / "run")
    assert "50.00" in said
    assumed = " ".join(run.read_record().recipe["assumed"])
    assert "they are resized with the filter bilinear, antialiased (--interpolation says otherwise" in assumed
    line = "50.0 % of 40 labelled images are right as they are assumed to be resized, and 100.0 % with --interpolation "
    assert line + "bilinear-no-antialias: add --interpolation bilinear-no-antialias if" in assumed

    capfd.readouterr()
    words = (*words, "--interpolation", "bilinear-no-antialias", "--background", "black", "--resize-size", "16")
    said = edgecnn_here(*words, "-f", "tflite-float32", "-f", "onnx-float32", cwd=tmp_path)
    assert "50.00" not in said
    for suffix in (".tflite", ".onnx"):
        classifier = Classifier.open(run.exported("float32", suffix))
        spec = classifier.manifest.input
        assert (spec.interpolation, spec.background, spec.resize_size) == ("bilinear-no-antialias", (0, 0, 0), 16)
        items = classifier.predict_many(sorted((tmp_path / "images").rglob("*.png")))
        assert [item.prediction.label for item in items if item.prediction] == ["plain"] * 20 + ["striped"] * 20
    assert "resized" not in " ".join(run.read_record().recipe["assumed"])


def test_images_alone_give_agreement_and_nothing_is_called_accuracy(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.export(tmp_path / "colours", verbose=False)
    write_colours(tmp_path / "images", folders=False)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    words = ("export", "colours", "--labels", "labels.txt", "--preprocess", "caffe", "--calibration-data", "images")
    printed = edgecnn_here(*words, "-f", "tflite-int8", "--output", "runs/mine", cwd=tmp_path)
    assert "accuracy %" not in printed
    assert "this is agreement with the float model, not accuracy" in printed
    run = RunFolder(tmp_path / "runs/mine")
    (entry,) = json.loads((run.export / "export.json").read_text())["files"]
    assert entry["accuracy"] is entry["accuracy_keras"] is None
    assert "drop_points" not in entry
    assert entry["agreement"]["total"] == 15
    manifest = Classifier.open(run.exported("int8", ".tflite")).manifest
    assert manifest.accuracy is manifest.accuracy_keras is None
    assert manifest.agreement is not None
    assert manifest.agreement.correct == entry["agreement"]["correct"] >= 14
    assert open_run_data(run.read_record()).labelled_by_model

    # The rest in this process, since it starts TensorFlow once.
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(command_line(), ["evaluate", "runs/mine"]).exception
    assert "expected images that somebody has labelled, got such that have the model's own answers" in str(error)
    quick = ("--rounds", "2", "--max-secs", "5", "--engine", "litert")
    assert CliRunner().invoke(command_line(), ["bench", "runs/mine", *quick]).exception is None
    bench = json.loads((run.bench / "bench.json").read_text())
    assert bench["keras_accuracy"] is None
    assert [(row["accuracy"], row["agreement"] is not None) for row in bench["rows"]] == [(None, True)]
    assert "for want of labelled images" in " ".join(bench["notes"])

    shown = CliRunner().invoke(command_line(), ["inspect", "runs/mine/export/mine_int8.tflite"]).stdout
    assert "agreement" in shown
    assert "accuracy" not in shown

    # From now on a run like any other; and imported again, it replaces itself.
    assert CliRunner().invoke(command_line(), ["export", "runs/mine", "-f", "onnx-float32"]).exception is None
    assert run.exported("int8", ".tflite").exists()
    error = CliRunner().invoke(command_line(), ["export", "runs/mine", "--scale", "1/255"]).exception
    assert "got the run folder runs/mine" in str(error)
    # Also where an earlier version imported it.
    document = json.loads(run.record.read_text())
    run.record.write_text(json.dumps({**document, "recipe": {**document["recipe"], "name": "adopted"}}))
    again = CliRunner().invoke(command_line(), [*words, "-f", "tflite-float32", "--output", "runs/mine"])
    assert again.exception is None
    assert run.read_record().recipe["name"] == "imported"


def test_without_images_float_files_are_compared_on_generated_ones(network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "colours.keras")
    words = ("export", "colours.keras", "--labels", ",".join(LABELS), "--preprocess", "caffe", "-f", "tflite-float32")
    printed = edgecnn_here(*words, cwd=tmp_path)
    assert "not accuracy" in printed
    run = RunFolder(tmp_path / "runs/colours")
    assert Classifier.open(run.exported("float32", ".tflite")).verify().passed
    said = edgecnn_here("export", run.path, "--int8", code=2)
    assert "calibration: expected images, got a run that was imported without any" in said


def test_a_model_of_which_no_file_can_be_made_leaves_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = keras.Input((SIDE, SIDE, 3))
    spectrum, _ = keras.ops.fft2((image, image))
    keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(spectrum))).save("spectrum.keras")
    write_colours(tmp_path / "images", folders=False)
    words = ("export", "spectrum.keras", *GOOD, "--calibration-data", "images", "-f", "tflite-float32")
    outcome = CliRunner().invoke(command_line(), words)
    assert isinstance(outcome.exception, GateError)
    # In one sentence, without where in the converter's own files that is.
    assert "takes; it says: 'tf.Complex' op is neither a custom op nor a flex op; export another" in str(
        outcome.exception
    )
    assert "loc(" not in outcome.output + str(outcome.exception)
    assert not Path("runs/spectrum").exists()


BAD = [
    ((), "m.keras: expected --labels, got none; give a file with one label per line"),
    (("--labels", "a,b", "--scale", "1"), "labels: expected 3, as many as the model tells classes apart, got 2"),
    ((*GOOD, "--int8"), "--calibration-data: expected a folder of images for the int8 ranges, got none"),
    ((*GOOD, "--data", "busy"), "--data: expected a run folder, got the model m.keras"),
    ((*GOOD, "--calibration-data", "nowhere"), "nowhere: not found"),
    ((*GOOD, "--output", "busy"), "got another run or other files; give another --output"),
    ((*GOOD, "--weights", "none"), "--weights: expected --application, got the model m.keras"),
    ((*GOOD, "--application", "VGG16"), "expected a model or --application"),
    ((*GOOD, "--resize", "stretch"), "--resize: expected one of squash, crop, pad, got 'stretch'"),
    (
        (*GOOD, "--interpolation", "lanczos"),
        "--interpolation: expected one of bilinear, bilinear-no-antialias, nearest",
    ),
    ((*GOOD, "--resize", "pad", "--resize-size", "64"), "--resize-size: expected --resize crop beside it, or none"),
    ((*GOOD, "--resize-size", "2"), f"--resize-size: expected {SIDE} or more, the longer side of the crop"),
    ((*GOOD, "--background", "clear"), "--background: expected a colour, as white, #727272 or 114,114,114"),
    ((*GOOD, "--output-is", "odds"), "--output-is: expected one of logits, probabilities, got 'odds'"),
    ((*GOOD, "--imgsz", "64"), f"--imgsz: expected {SIDE}x{SIDE}, the input of m.keras, got 64"),
]


def test_bad_input_is_a_plain_message_and_leaves_nothing(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network.save("m.keras")
    Path("busy").mkdir()
    Path("busy/thesis.txt").write_text("mine")
    for words, message in BAD:
        # In this process, since starting TensorFlow ten times takes longer than all the rest.
        error = CliRunner().invoke(command_line(), ["export", "m.keras", *words]).exception
        assert isinstance(error, InputError), (words, error)
        assert message in str(error)
    assert not Path("runs").exists()
    assert [path.name for path in Path("busy").iterdir()] == ["thesis.txt"]
    assert "a run folder, a .keras" in str(CliRunner().invoke(command_line(), ["export"]).exception)
    assert "busy: expected a run folder with run.json" in str(
        CliRunner().invoke(command_line(), ["export", "busy", *GOOD]).exception
    )
    said = edgecnn_here("export", "m.keras", *GOOD, "--calibration-data", "nowhere", code=2)
    assert "nowhere: not found; expected a folder of images" in said
    assert "Traceback" not in said
