"""Files of ours, of others, of nobody: what is read from them, and what is said of those that cannot be read."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import GREY_8, tiny_onnx
from tiny_tflite import TinyOperator, TinyTensor, constant, convolution, live, tiny_tflite

from edgecnn_export.inspection.document import to_document
from edgecnn_export.inspection.model import inspect_model
from edgecnn_export.tflite.manifest import embed_in_tflite
from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.manifest import Manifest, Scheme

MANIFEST = Manifest("tiny", ("dark", "middle", "bright"), GREY_8, Scheme.INT8)


def _with_manifest(folder: Path) -> Path:
    path = convolution(folder / "tiny_int8.tflite")
    path.write_bytes(embed_in_tflite(path.read_bytes(), MANIFEST))
    return path


def test_our_file_carries_manifest_and_official_metadata(tmp_path: Path) -> None:
    model = inspect_model(_with_manifest(tmp_path))
    assert model.manifest is not None
    assert dataclasses.replace(model.manifest, content_crc32=None) == MANIFEST
    assert model.metadata is not None
    assert (model.metadata.name, model.metadata.mean, model.metadata.std) == ("tiny", (0.0,), (1.0,))
    assert model.metadata.files == ("labels.txt", "edgecnn_manifest.json")
    assert [model.graph.tensors[number].name for number in model.graph.inputs] == ["pixels"]
    assert [model.graph.tensors[number].name for number in model.graph.outputs] == ["probabilities"]


def test_the_manifest_of_an_onnx_file(tmp_path: Path) -> None:
    model = inspect_model(tiny_onnx(tmp_path / "tiny.onnx", layers=2))
    assert model.manifest is not None
    assert model.manifest.labels == ("dark", "bright")
    assert model.graph.version == "opset 13"
    assert model.metadata is None


def test_a_file_of_somebody_else_has_neither(tmp_path: Path) -> None:
    model = inspect_model(convolution(tmp_path / "theirs.tflite"))
    assert (model.manifest, model.metadata, model.manifest_problem) == (None, None, None)


def test_a_manifest_that_cannot_be_read_is_told_and_the_rest_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Manifest, "to_json", lambda _: '{"schema_version": 7}')
    model = inspect_model(_with_manifest(tmp_path))
    assert model.manifest is None
    assert model.manifest_problem is not None
    assert "expected schema version 1 to 2, got 7" in model.manifest_problem
    assert model.graph.macs == 3024


def test_a_custom_operator_is_named_by_its_code(tmp_path: Path) -> None:
    tensors = [live(1, 4, dtype="float32"), live(1, 4, dtype="float32")]
    path = tiny_tflite(tmp_path / "custom.tflite", tensors, [TinyOperator("MyOwnOp", (0,), (1,))])
    (operator,) = inspect_model(path).graph.operators
    assert (operator.kind, operator.custom) == ("MyOwnOp", True)


def test_an_open_size_is_told_but_not_an_open_batch(tmp_path: Path) -> None:
    tensors = [
        TinyTensor((1, 4, 4), "float32", signature=(-1, 4, 4)),
        TinyTensor((1, 1, 4), "float32", signature=(-1, -1, 4)),
    ]
    graph = inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, [TinyOperator("RELU", (0,), (1,))])).graph
    assert [tensor.static for tensor in graph.tensors] == [True, False]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.tflite", None, "not found; expected a model file"),
        ("model.keras", b"PK", r"expected a model file \(\.tflite or \.onnx\), got \.keras"),
        ("model", b"", "got no suffix"),
        ("model.tflite", b"", "expected a TFLite file"),
        ("model.tflite", b"no model at all, just words", "expected a TFLite file"),
        ("model.tflite", b"\x04\x00\x00\x00TFL3", "got a damaged one"),
        ("model.onnx", b"no model at all, just words", "expected an ONNX file"),
        ("model.onnx", b"", "got one without operators or opset"),
    ],
)
def test_what_is_no_model_is_refused_plainly(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        inspect_model(path)


def test_of_a_folder_the_file_to_take_is_named(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    convolution(tmp_path / "export" / "tiny_int8.tflite")
    with pytest.raises(ModelError, match=r"got a folder; name a file such as .*export/tiny_int8\.tflite"):
        inspect_model(tmp_path)


def test_a_graph_that_bites_its_own_tail_ends(tmp_path: Path) -> None:
    tensors = [live(1, 4, dtype="float32"), constant(4, 4, dtype="float32"), live(4, 4, dtype="float32")]
    operators = [
        TinyOperator("RESHAPE", (1,), (2,)),
        TinyOperator("RESHAPE", (2,), (2,)),
        TinyOperator("ADD", (0, 2), (2,)),
    ]
    model = inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators))
    assert (model.graph.parameters, model.graph.macs) == (16, 0)
    assert model.peak is not None


@pytest.mark.parametrize("container", ["tflite", "onnx"])
def test_a_damaged_file_is_read_or_refused_but_never_breaks_the_reader(container: str, tmp_path: Path) -> None:
    """Truncated, and with bytes changed by lot: ModelError is the only error, whatever was hit."""
    whole = _with_manifest(tmp_path) if container == "tflite" else tiny_onnx(tmp_path / "tiny.onnx")
    content = whole.read_bytes()
    path = tmp_path / f"damaged.{container}"
    generator = np.random.default_rng(5)
    refused = 0
    for trial in range(300):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: generator.integers(0, len(content))]
        else:
            for place in generator.integers(8, len(content), 1 + trial % 7):
                damaged[place] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            to_document(inspect_model(path), [])
        except ModelError as error:
            assert str(path) in str(error)  # noqa: PT017 (not every damage is noticed)
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("package", "file", "extra"), [("ai_edge_litert", "m.tflite", "litert"), ("onnx", "m.onnx", "export")]
)
def test_a_missing_package_answers_with_its_pip_line(
    package: str, file: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = convolution(tmp_path / file)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "edgecnn\[{extra}\]"'):
        inspect_model(path)
