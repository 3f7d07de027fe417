import json
from typing import Any

import pytest

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import Calibration, Colour, GoldenCheck, InputSpec, Manifest, Optimization, Resize, Scheme

FULL = Manifest(
    name="chinese-mnist",
    labels=("零", "一", "亿"),
    input=InputSpec(64, 48, Colour.RGB, Resize.PAD, (0, 128, 255)),
    scheme=Scheme.INT8,
    recipe="chinese-mnist",
    data_fingerprint="ab" * 32,
    accuracy_keras=Accuracy(95, 100),
    accuracy=Accuracy(94, 100),
    calibration=Calibration(images=200, seed=0, fingerprint="cd" * 32),
    golden=GoldenCheck(((0.25, 0.5, 0.25), (1.0, 0.0, 0.0)), tolerance=0.01),
    versions={"edgecnn": "0.1.0"},
    licence="CC0",
    optimization=Optimization(sparsity=0.8, clusters=16, quantization_aware=True, epochs=3),
)


@pytest.mark.parametrize("manifest", [FULL, Manifest("m", ("a", "b"), InputSpec(1, 1, Colour.GREY), Scheme.FLOAT32)])
def test_json_brings_the_same_manifest_back(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(manifest.to_json().encode()) == manifest


def test_a_manifest_of_before_optimizations_opens() -> None:
    document = json.loads(FULL.to_json())
    del document["optimization"]
    assert Manifest.from_json(json.dumps(document)).optimization is None


def _changed(**changes: Any) -> str:
    return json.dumps({**json.loads(FULL.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected complete edgecnn manifest"),
        ("[]", "expected complete edgecnn manifest"),
        ("null", "expected complete edgecnn manifest"),
        ("{}", "KeyError: 'schema_version'"),
        ("[" * 100_000, "expected complete edgecnn manifest"),
        (_changed(schema_version=99), "expected schema version 1, got 99"),
        (_changed(labels=["a"]), "expected at least 2, got 1"),
        (_changed(labels=["a", "a"]), "a label twice"),
        (_changed(input=None), "TypeError"),
        (_changed(input={"height": 1}), "KeyError"),
        (_changed(input={**json.loads(FULL.to_json())["input"], "height": -4}), "expected at least 1x1"),
        (_changed(scheme="int4"), "'int4' is not a valid Scheme"),
        (_changed(golden={"probabilities": [["x"]], "tolerance": 0}), "could not convert"),
        (_changed(accuracy={"correct": 9, "total": 3}), "correct <= total"),
        (_changed(optimization={"sparsity": 0.5, "by": "hand"}), "TypeError"),
        (b"\xff\xfe\x00", "expected complete edgecnn manifest"),
    ],
)
def test_a_damaged_manifest_is_a_model_error(text: str | bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Manifest.from_json(text)


@pytest.mark.parametrize("background", [(0, 0), (0, 0, 256), (-1, 0, 0)])
def test_a_background_is_three_bytes(background: Any) -> None:
    with pytest.raises(ValueError, match="background: three values"):
        InputSpec(1, 1, Colour.RGB, background=background)
