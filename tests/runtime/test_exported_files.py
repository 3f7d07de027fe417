"""The runtime on real exported files: every format, opened as a device opens it."""

import zipfile
from pathlib import Path

import needs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecnn_export.formats import FORMATS, Format
from edgecnn_runtime import Classifier, InputError, ModelError
from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.model_formats import format_of
from edgecnn_runtime.workstation.run_folder import RunFolder


@pytest.fixture(params=FORMATS.values(), ids=FORMATS)
def model(request: pytest.FixtureRequest, exported_run: RunFolder) -> Path:
    fmt: Format = request.param
    return exported_run.exported(fmt.scheme, fmt.suffix)


def test_one_file_is_enough(model: Path, digit_files: list[Path]) -> None:
    classifier = Classifier.open(model)
    assert classifier.labels == tuple("0123456789")
    assert classifier.verify().passed
    items = list(classifier.predict_many(digit_files, workers=2))
    right = sum(item.prediction is not None and f"_{item.prediction.label}." in item.source for item in items)
    assert right >= 0.85 * len(items)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_golden_check_holds_in_every_engine(model: Path, engine: str) -> None:
    if format_of(model).name not in ENGINES[engine].formats:
        return
    if engine == "openvino":
        needs.package("openvino", "edgecnn[openvino]")
    classifier = Classifier.open(model, engine=engine)
    assert classifier.backend.name == engine
    assert classifier.verify().passed


def test_one_image_many_images_and_a_file_agree(
    model: Path, digits: tuple[NDArray[np.uint8], NDArray[np.int64]], tmp_path: Path
) -> None:
    classifier = Classifier.open(model)
    images = digits[0][::700]
    together = classifier.predict_proba(images)
    alone = np.stack([classifier.predict_proba(image) for image in images])
    np.testing.assert_allclose(together, alone, atol=2e-3 if "float16" in model.name else 1e-5)
    assert together.sum(axis=1) == pytest.approx(np.ones(len(images)), abs=0.03)
    Image.fromarray(images[0, :, :, 0]).save(tmp_path / "digit.png")
    assert classifier.predict(tmp_path / "digit.png").probabilities == pytest.approx(alone[0])


@pytest.mark.parametrize("keep", [0, 10, 1000, 0.5, 0.98])
def test_a_truncated_model_is_a_model_error(model: Path, tmp_path: Path, keep: float) -> None:
    content = model.read_bytes()
    damaged = tmp_path / f"damaged{model.suffix}"
    damaged.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ModelError, match="damaged"):
        Classifier.open(damaged)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.tflite", "not found"), ("folder.onnx", "got a folder"), ("model.h5", ".tflite or .onnx")],
)
def test_what_is_no_model_is_a_model_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ModelError, match=message):
        Classifier.open(tmp_path / name)


def test_a_model_without_a_manifest_is_a_strangers(exported_run: RunFolder, tmp_path: Path) -> None:
    whole = exported_run.exported("float32", ".tflite")
    bare = tmp_path / "bare.tflite"
    with zipfile.ZipFile(whole) as archive:
        bare.write_bytes(whole.read_bytes()[: archive.infolist()[0].header_offset])
    classifier = Classifier.open(bare, labels=[*"0123456789"])
    assert classifier.contract.pixels.value == "0…255"
    images = golden_images(classifier.manifest.input)
    assert np.array_equal(classifier.predict_proba(images), Classifier.open(whole).predict_proba(images))
    assert not Classifier.open(whole).contract.assumed
    with pytest.raises(InputError, match="expected no --labels, which the manifest"):
        Classifier.open(whole, labels="a,b")
