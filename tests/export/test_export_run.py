import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import edgecnn_here

from edgecnn_export.export_index import drop_stale, write_index
from edgecnn_export.export_run import ExportSettings, export_run, require_all_kept
from edgecnn_export.formats import FORMATS, choose_formats
from edgecnn_export.int8.calibration import choose_calibration
from edgecnn_runtime.classifier import Classifier
from edgecnn_runtime.errors import GateError, InputError
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_runtime.workstation.run_folder import RunFolder, open_run_data


@pytest.fixture
def run(small_trained_run: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the trained run, to be exported as a test likes."""
    shutil.copytree(small_trained_run.path, tmp_path / "digits", ignore=shutil.ignore_patterns("export", "bench"))
    return RunFolder(tmp_path / "digits")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_equals_keras_on_the_test_split(exported_run: RunFolder, name: str) -> None:
    index = json.loads((exported_run.export / "export.json").read_text())
    (entry,) = (entry for entry in index["files"] if entry["format"] == name)
    path = exported_run.export / entry["file"]
    assert entry["kept"]
    assert entry["bytes"] == path.stat().st_size
    assert entry["accuracy"]["total"] == 1000
    assert abs(entry["drop_points"]) <= 0.5
    # float32 differs in the order of sums only; the others by their rounding.
    allowed = {"float32": 1e-5, "float16": 5e-3, "dynamic": 0.1, "int8": 0.2, "int16x8": 0.05}[name.partition("-")[2]]
    assert entry["largest_difference"] <= allowed
    assert entry["top1_agreement"] >= (1.0 if allowed < 0.01 else 0.99)


def test_opset_seed_and_range_are_those_asked_for(run: RunFolder) -> None:
    """Without --reduce-range the largest weight of a channel is 127 steps, with it, as in `exported_run`, 64."""
    options = ("--opset", "15", "--seed", "7", "--calibration-images", "30")
    edgecnn_here("export", run.path, "--format", "onnx-int8", *options)
    path = run.exported("int8", ".onnx")
    model = onnx.load(path)
    assert model.opset_import[0].version == 15
    calibration = Classifier.open(path).manifest.calibration
    assert calibration is not None
    assert (calibration.images, calibration.seed) == (30, 7)
    image_set = open_run_data(run.read_record())
    training, _ = run.read_record().division_of(image_set).divide(image_set)
    assert calibration == choose_calibration(training, images=30, seed=7).record
    assert largest_weight(model) == 127


def test_a_reduced_range_is_one_of_seven_bits(exported_run: RunFolder) -> None:
    assert largest_weight(onnx.load(exported_run.exported("int8", ".onnx"))) == 64


def largest_weight(model: onnx.ModelProto) -> int:
    """The largest of the integer weights in steps; a zero point is one value."""
    weights = [onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer]
    return int(max(np.abs(array.astype(int)).max() for array in weights if array.dtype == np.int8 and array.ndim > 1))


def test_the_keras_reference_is_that_of_the_training(exported_run: RunFolder) -> None:
    index = json.loads((exported_run.export / "export.json").read_text())
    stored = np.load(exported_run.test_probabilities)
    labels = open_run_data(exported_run.read_record()).split("test").labels
    assert index["files"][0]["accuracy_keras"]["correct"] == int((stored.argmax(axis=1) == labels).sum())


def test_a_file_that_misses_the_budget_is_not_left_behind(run: RunFolder) -> None:
    """Calibrated on blank images, int8 has no range for anything; float32 is untouched by that."""
    image_set = open_run_data(run.read_record())
    train = image_set.split("train")
    blank = Split(np.zeros_like(train.images), train.labels, train.files)
    blind = replace(image_set, splits={**image_set.splits, "train": blank})
    stale = run.exported("int8", ".tflite")
    stale.parent.mkdir()
    stale.write_bytes(b"from an earlier export")
    settings = ExportSettings(choose_formats(("tflite-float32", "tflite-int8")))
    files = export_run(run, blind, settings, report=lambda _: None)
    assert [file.failure is None for file in files] == [True, False]
    assert not stale.exists()
    assert run.exported("float32", ".tflite").exists()
    with pytest.raises(GateError, match=r"digits_int8\.tflite: expected at most 1 points of accuracy lost, got \d+"):
        require_all_kept(files)
    index = json.loads((run.export / "export.json").read_text())
    assert [(entry["format"], entry["kept"]) for entry in index["files"]] == [
        ("tflite-float32", True),
        ("tflite-int8", False),
    ]


def test_what_a_quantizer_does_not_take_stays_float32_or_stops_no_other_format(run: RunFolder) -> None:
    """SELU has no integer form in TFLite; exp(x) - 1 of 8 bits would be another function."""
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="pixels"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=3, activation="selu", name="first"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ]
    )
    network.save(run.model)
    stale = run.exported("int8", ".tflite")
    stale.parent.mkdir()
    stale.write_bytes(b"from an earlier export")
    formats = [word for name in ("tflite-float32", "tflite-int8", "onnx-int8") for word in ("--format", name)]
    printed = edgecnn_here("export", run.path, *formats, "--max-drop", "100")
    mixed = run.exported("int8-mixed", ".tflite")
    (in_float,) = Classifier.open(mixed).manifest.in_float
    assert in_float == "first (GREATER, MUL, EXP, SUB, SELECT)"
    assert f"digits_int8-mixed.tflite: in float32: {in_float}, which has no integer form" in printed
    assert mixed.exists()
    assert not stale.exists()
    # What is to be integers throughout, for processors that know no others, is refused.
    printed = edgecnn_here("export", run.path, *formats, "--io", "int8", "--max-drop", "100", code=1)
    assert re.search(r"digits_int8-signed\.tflite +not made", printed)
    assert "digits_int8-signed.tflite: expected operators with an integer form, got EXP" in printed
    assert "export --int8, which leaves it in float32, or float16, or build the network without it" in printed
    assert "Traceback" not in printed
    index = json.loads((run.export / "export.json").read_text())
    assert {entry["format"]: entry["kept"] for entry in index["files"]} == {
        "tflite-float32": True,
        "tflite-int8": True,
        "onnx-int8": True,
        "tflite-int8-signed": False,
    }
    kept = {entry["file"] for entry in index["files"] if entry["kept"]}
    assert {path.name for path in run.export.iterdir()} == {*kept, "export.json", "labels.txt"}


def test_an_index_of_schema_1_is_read_with_the_new_names(tmp_path: Path) -> None:
    tried = [{"rung": "int8, minmax, 200 images", "drop_points": 0.1}]
    skipped = [{"rung": "int8, entropy, 200 images", "reason": "not installed"}]
    old = {"format": "tflite-int8", "variant": "", "file": "m_int8.tflite", "ladder": tried, "not_tried": skipped}
    index = {"schema_version": 1, "model_sha256": "model", "files": [old]}
    (tmp_path / "export.json").write_text(json.dumps(index))
    (tmp_path / "m_int8.tflite").write_bytes(b"kept")
    drop_stale(tmp_path, model_sha256="model")
    write_index(tmp_path, [], model_sha256="model")
    written = json.loads((tmp_path / "export.json").read_text())
    (entry,) = written["files"]
    assert written["schema_version"] == 2
    assert entry["accuracy_search"] == [{"candidate": "int8, minmax, 200 images", "drop_points": 0.1}]
    assert entry["not_tried"] == [{"candidate": "int8, entropy, 200 images", "reason": "not installed"}]
    assert "ladder" not in entry
    drop_stale(tmp_path, model_sha256="of another model")
    assert not (tmp_path / "m_int8.tflite").exists()


def test_a_second_export_adds_and_a_new_model_starts_afresh(run: RunFolder) -> None:
    image_set = open_run_data(run.read_record())
    for name in ("tflite-float32", "onnx-float32"):
        export_run(run, image_set, ExportSettings(choose_formats((name,))), report=lambda _: None)
    index = json.loads((run.export / "export.json").read_text())
    assert [entry["format"] for entry in index["files"]] == ["tflite-float32", "onnx-float32"]

    import keras

    model = keras.models.load_model(run.model)
    model.set_weights([weights * 0.99 for weights in model.get_weights()])
    model.save(run.model)
    export_run(run, image_set, ExportSettings(choose_formats(("onnx-float32",)), max_drop=100), report=lambda _: None)
    assert not run.exported("float32", ".tflite").exists()


def test_the_same_model_gives_the_same_bytes(run: RunFolder) -> None:
    image_set = open_run_data(run.read_record())
    settings = ExportSettings(choose_formats(("tflite-int8",)))
    hashes = {export_run(run, image_set, settings, report=lambda _: None)[0].sha256 for _ in range(2)}
    assert len(hashes) == 1


def test_c_source_is_told_recorded_and_goes_with_its_file(run: RunFolder, digit_files: list[Path]) -> None:
    """A full-integer file with int8 input and output and its C++ source; then the same file without."""
    command = ("export", run.path, "--format", "tflite-int8", "--io", "int8", "--c-source", "--json")
    printed = json.loads(edgecnn_here(*command))
    model = run.export / "digits_int8-signed.tflite"
    source = printed["c_source"]
    assert (source["of"], source["files"]) == (model.name, ["digits_model_data.h", "digits_model_data.cc"])
    assert f"kDataSize = {source['flash_bytes']};" in (run.export / source["files"][0]).read_text()
    index = json.loads((run.export / "export.json").read_text())
    assert index["c_source"] == source
    assert [entry["format"] for entry in index["files"]] == ["tflite-int8-signed"]
    assert index["files"] == printed["files"]
    assert source["arena_bytes"] == printed["files"][0]["arena_bytes"]

    classifier = Classifier.open(model)
    assert classifier.verify().passed
    assert classifier.manifest.arena_bytes == source["arena_bytes"]
    items = list(classifier.predict_many(digit_files))
    assert sum(item.prediction is not None and f"_{item.prediction.label}." in item.source for item in items) >= 42

    settings = ExportSettings(choose_formats(("tflite-int8",), io="int8"))
    export_run(run, open_run_data(run.read_record()), settings, report=lambda _: None)
    assert "c_source" not in json.loads((run.export / "export.json").read_text())
    assert {path.name for path in run.export.iterdir()} == {model.name, "export.json", "labels.txt"}


@pytest.mark.parametrize(
    ("change", "message"), [({"max_drop": -1}, "max-drop"), ({"opset": 7}, "opset: expected 13…18")]
)
def test_impossible_settings_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExportSettings(choose_formats(), **change)


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (lambda run: shutil.rmtree(run.path), (), "not found; expected a run folder, a .keras"),
        (lambda run: run.record.unlink(), (), "expected a run folder with run.json, got none"),
        (lambda run: run.record.write_text("{"), (), "run.json: expected a JSON document, got none"),
        (lambda run: run.model.unlink(), (), "not found; expected the trained model of the run"),
        (lambda run: run.model.write_bytes(b"PK\x03\x04 not keras"), (), "expected a whole Keras model"),
        (
            lambda run: None,
            ("--io", "int4", "--int8"),
            "io: expected one of uint8, int8, edgetpu, got 'int4'; did you mean int8?",
        ),
        (lambda run: None, ("--io", "int8"), "io: int8 goes with the int8 TFLite file"),
        (lambda run: None, ("--data", "nowhere"), "expected a prepared image set"),
        (lambda run: None, ("--calibration-images", "100000", "--int8"), "expected 1…3600 images"),
    ],
)
def test_bad_input_is_a_plain_message_and_exit_2(run: RunFolder, damage, arguments, message: str) -> None:  # type: ignore[no-untyped-def]
    damage(run)
    printed = edgecnn_here("export", run.path, *arguments, code=2)
    assert message in printed
    assert "Traceback" not in printed
    assert not run.export.exists() or list(run.export.iterdir()) == []
