"""Which files a model consists of."""

from pathlib import Path

import pytest
from small_onnx import small_onnx

from edgecnn_runtime import Classifier
from edgecnn_runtime.model_formats import ModelFile, model_bytes, model_parts
from edgecnn_runtime.third_party_models import first_run
from edgecnn_runtime.third_party_models.opening import Opening


def with_weights_beside(path: Path, location: str) -> Path:
    """Write a classifier as PyTorch does, its weights in a file of their own."""
    small_onnx(path)
    import onnx

    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            onnx.external_data_helper.set_external_data(tensor, location)
    (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def test_a_model_with_weights_beside_it_is_both_files(tmp_path: Path) -> None:
    inline = small_onnx(tmp_path / "inline.onnx")
    path = with_weights_beside(tmp_path / "m.onnx", "m.onnx.data")
    beside = tmp_path / "m.onnx.data"
    assert model_parts(inline) == (inline,)
    assert model_parts(path) == (path, beside)
    assert model_bytes(path) == path.stat().st_size + beside.stat().st_size
    assert Classifier.open(path, trusted=True).labels == Classifier.open(inline, trusted=True).labels


def test_a_folder_below_is_named_too(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "m.onnx", "weights/m.data")
    assert model_parts(path) == (path, tmp_path / "weights" / "m.data")


def test_what_is_not_there_or_not_its_own_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = with_weights_beside(folder / "m.onnx", "m.data")
    content = path.read_bytes()
    (tmp_path / "abc").write_bytes(b"somebody else's")
    path.write_bytes(content.replace(b"m.data", b"../abc"))
    assert model_parts(path) == (path,)
    (folder / "m.data").unlink()
    path.write_bytes(content)
    assert model_parts(path) == (path,)


def test_a_name_that_no_file_can_have_is_left_out(tmp_path: Path) -> None:
    path = with_weights_beside(tmp_path / "m.onnx", "m.data")
    import onnx

    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "x" * 5000
    path.write_bytes(model.SerializeToString())
    assert model_parts(path) == (path,)


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
def test_of_a_damaged_file_there_is_itself(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x3a\xff\xff")
    assert model_parts(path) == (path,)


def test_other_weights_are_another_model_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECNN_HOME", str(tmp_path / "home"))
    path = with_weights_beside(tmp_path / "m.onnx", "m.data")
    seen = tmp_path / "home" / "tried-models.txt"
    first_run.check_first_run(ModelFile.read(path), Opening())
    first_run.check_first_run(ModelFile.read(path), Opening())
    assert len(seen.read_text().split()) == 1
    weights = bytearray((tmp_path / "m.data").read_bytes())
    weights[0] ^= 1
    (tmp_path / "m.data").write_bytes(weights)
    first_run.check_first_run(ModelFile.read(path), Opening())
    assert len(seen.read_text().split()) == 2
