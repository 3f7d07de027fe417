"""What Ultralytics writes into its models: read, and followed as its own software does."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
from PIL import Image
from third_party_models import HEIGHT, LABELS, WIDTH, ThirdParty, write_onnx, write_tflite

from edgecnn_runtime import Classifier, ModelError, Origin
from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import Colour, InputSpec, Interpolation, Manifest, Resize, Scheme
from edgecnn_runtime.model_files.ultralytics import ultralytics_metadata

# As release 8.3.170 writes them, by `str`.
PROPS = {
    "description": "Ultralytics YOLO11n-cls model",
    "author": "Ultralytics",
    "version": "8.3.170",
    "stride": "1",
    "task": "classify",
    "batch": "1",
    "imgsz": "[5, 4]",
    "names": "{0: 'ant', 1: 'bee', 2: 'cat'}",
    "args": "{'batch': 1, 'half': False, 'dynamic': True, 'simplify': True}",
    "channels": "3",
}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open the files at once."""
    monkeypatch.setattr("edgecnn_runtime.third_party_models.first_run.check_first_run", lambda *_: None)


def _read(**changes: Any) -> Any:
    return ultralytics_metadata({**PROPS, **changes}, source="metadata_props")


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ("[224, 224]", (224, 224)),
        ([192, 224], (192, 224)),
        ("(96, 128)", (96, 128)),
        ("224", (224, 224)),
        (224, (224, 224)),
        ("[64]", (64, 64)),
        ("", None),
        ("large", None),
        ("[0, 224]", None),
        ("[224.5, 224]", None),
        ("[1, 2, 3]", None),
        ("[9999999999, 9]", None),
        ("[" * 5000, None),
    ],
)
def test_the_size_is_read_in_every_form(entry: Any, size: tuple[int, int] | None) -> None:
    assert _read(imgsz=entry).imgsz == size


CROP = ImageFit(resize=Resize.CROP, resize_size=224, interpolation=Interpolation.BILINEAR)


@pytest.mark.parametrize(
    ("version", "height", "width", "fit"),
    [
        ("8.3.170", 224, 224, CROP),
        ("8.0.233", 224, 224, CROP),
        ("9.1", 224, 224, CROP),
        # torchvision's Resize of two sides.
        ("8.4.190", 96, 128, ImageFit(resize=Resize.SQUASH, interpolation=Interpolation.BILINEAR)),
        # OpenCV's, behind a crop to the shorter side.
        ("8.0.232", 224, 224, ImageFit(resize=Resize.CROP, interpolation=Interpolation.BILINEAR_NO_ANTIALIAS)),
    ],
)
def test_images_are_fitted_as_that_release_does(version: str, height: int, width: int, fit: ImageFit) -> None:
    assert _read(version=version).fit(height, width) == fit


def test_what_ultralytics_did_not_write_is_left_alone() -> None:
    assert ultralytics_metadata({"names": PROPS["names"], "stride": "32"}, source="") is None
    assert ultralytics_metadata({"task": "image-classification", "author": "somebody"}, source="") is None


@pytest.mark.parametrize("changes", [{}, {"author": "", "version": ""}, {"names": "['ant', 'bee', 'cat']"}])
def test_an_onnx_file_of_any_size_opens_without_a_word(tmp_path: Path, changes: dict[str, str]) -> None:
    kind = ThirdParty(axes="nchw", open_size=True, batch=None)
    path = write_onnx(tmp_path / "m.onnx", kind, props={**PROPS, **changes})
    classifier = Classifier.open(path)
    assert classifier.labels == LABELS
    assert classifier.manifest.input.shape == (HEIGHT, WIDTH, 3)
    facts = classifier.contract.facts
    assert [name for name, fact in facts.items() if fact.origin is Origin.ASSUMED] == ["background"]
    np.testing.assert_allclose(classifier.predict_proba(PIXELS), kind.answer(PIXELS / 255), atol=1e-5)
    # The caller goes first.
    assert Classifier.open(path, resize="pad", labels="a,b,c").contract.resize.origin is Origin.CALLER


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb", "something-new"])
def test_another_task_is_refused_by_its_name(tmp_path: Path, task: str) -> None:
    path = write_onnx(tmp_path / "m.onnx", ThirdParty(axes="nchw"), props={**PROPS, "task": task})
    with pytest.raises(ModelError, match=rf"m.onnx: expected a classifier, got a model for the task '{task}'"):
        Classifier.open(path)


@pytest.mark.parametrize("form", ["metadata.json", "temp_meta.txt"])
def test_a_tflite_file_says_the_same(tmp_path: Path, form: str) -> None:
    """With a file behind it, or as the labels of TFLite Metadata."""
    from edgecnn_export.tflite.manifest import embed_in_tflite

    content = write_tflite(tmp_path / "m.tflite", ThirdParty()).read_bytes()
    entries: dict[str, Any] = {**PROPS, "imgsz": [5, 4], "names": dict(enumerate(LABELS))}
    name, text = form, json.dumps(entries)
    if form == "temp_meta.txt":
        manifest = Manifest("other", LABELS, InputSpec(HEIGHT, WIDTH, Colour.RGB), Scheme.FLOAT32)
        content = embed_in_tflite(content, manifest)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = content[: min(entry.header_offset for entry in archive.infolist())]
        # As the metadata that is left calls the labels.
        name, text = "labels.txt", str(entries)
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    (tmp_path / "m.tflite").write_bytes(stream.getvalue())
    classifier = Classifier.open(tmp_path / "m.tflite")
    assert classifier.labels == LABELS
    assert [sentence.split(":")[0] for sentence in classifier.contract.assumed] == ["background"]
    np.testing.assert_allclose(classifier.predict_proba(PIXELS), ThirdParty().answer(PIXELS / 255), atol=1e-5)


def test_a_wide_picture_is_cropped(tmp_path: Path) -> None:
    """Red in the middle, and so by Ultralytics' own crop; squashed, mostly green."""
    needs.package("onnx")
    from onnx import TensorProto, helper, save

    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["row"]),
        helper.make_node("Softmax", ["row"], ["output0"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    answer = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph(nodes, "g", [images], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {**PROPS, "imgsz": "[32, 32]", "names": "{0: 'red', 1: 'green', 2: 'blue'}"})
    save(model, tmp_path / "m.onnx")
    picture = np.full((40, 160, 3), (0, 255, 0), np.uint8)
    picture[:, 60:100] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "wide.png")
    assert Classifier.open(tmp_path / "m.onnx").predict(tmp_path / "wide.png").label == "red"
    assert Classifier.open(tmp_path / "m.onnx", resize="squash").predict(tmp_path / "wide.png").label == "green"
    assert Classifier.open(tmp_path / "m.onnx", imgsz=24).manifest.input.resize_size == 24
