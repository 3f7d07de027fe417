import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import (
    Calibration,
    Colour,
    Decode,
    GoldenCheck,
    InputSpec,
    Interpolation,
    Manifest,
    Optimization,
    Resize,
    Scheme,
)

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


# What edgecnn 0.1.0 wrote before there were agreements, optimizations, checksums and a choice of decoding.
OLD = """{"schema_version": 1, "name": "chinese-mnist", "labels": ["零", "一", "亿"],
"input": {"height": 64, "width": 48, "colour": "rgb", "resize": "pad",
"background": [0, 128, 255]}, "scheme": "int8", "recipe": "chinese-mnist",
"data_fingerprint": "abab", "accuracy_keras": {"correct": 95, "total": 100}, "accuracy": {"correct": 94, "total": 100},
"calibration": {"images": 200, "seed": 0, "fingerprint": "cdcd"},
"golden": {"probabilities": [[0.25, 0.5, 0.25], [1, 0, 0]], "tolerance": 0.01},
"versions": {"edgecnn": "0.1.0"}, "licence": "CC0"}"""


def test_an_old_manifest_opens() -> None:
    calibration = Calibration(images=200, seed=0, fingerprint="cdcd")
    old = dataclasses.replace(FULL, data_fingerprint="abab", optimization=None, calibration=calibration)
    assert Manifest.from_json(OLD) == old


def test_what_an_old_manifest_does_not_say_is_as_it_was_then() -> None:
    """Photos were decoded whole; nothing was left in float, and no file had a checksum."""
    old = Manifest.from_json(OLD)
    assert old.input.decode is Decode.FULL
    assert (old.in_float, old.content_crc32, old.agreement, old.calibration and old.calibration.method) == (
        (),
        None,
        None,
        "minmax",
    )
    bare = json.loads(OLD)
    for name in ("resize", "background"):
        del bare["input"][name]
    assert Manifest.from_json(json.dumps(bare)).input == InputSpec(64, 48, Colour.RGB, Resize.SQUASH, (255, 255, 255))


def test_keys_of_a_later_version_are_ignored() -> None:
    document = json.loads(FULL.to_json())
    document |= {"novelty": {"threshold": 0.5}, "optimization": {**document["optimization"], "by": "hand"}}
    assert Manifest.from_json(json.dumps(document)) == FULL


def test_the_bytes_in_a_file_stay_the_same() -> None:
    text = FULL.to_json().encode()
    assert hashlib.sha256(text).hexdigest() == "ff20c25f345658b5ca5d151c979b6427deb867bab06f3a740b33695d7684ca23"
    assert Manifest.from_json(text).to_json().encode() == text


def _changed(**changes: Any) -> str:
    return json.dumps({**json.loads(FULL.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a JSON document"),
        ("[]", "expected a JSON object, got a list of 0"),
        ("null", "expected a JSON object, got null"),
        ("{}", "expected schema version 1 to 2, got None"),
        ("[" * 100_000, "nested too deeply"),
        (_changed(schema_version=99), "expected schema version 1 to 2, got 99"),
        (_changed(labels=["a"]), "expected at least 2, got 1"),
        (_changed(labels=["a", "a"]), "a label twice"),
        (_changed(input=None), "input: expected an object, got null"),
        (_changed(input={"height": 1}), "input: expected the key 'width'"),
        (_changed(input={**json.loads(FULL.to_json())["input"], "height": -4}), "expected at least 1x1"),
        (_changed(scheme="int4"), "scheme: expected one of float32, .*, got 'int4'"),
        (
            _changed(golden={"probabilities": [["x"]], "tolerance": 0}),
            "0: 0: expected a number, got 'x'",
        ),
        (_changed(accuracy={"correct": 9, "total": 3}), "correct <= total"),
        (_changed(optimization={"sparsity": "half"}), "optimization: sparsity: expected a number, got 'half'"),
        (b"\xff\xfe\x00", "expected a JSON document"),
        *(
            (_changed(golden={"probabilities": [[0.5, 0.5, 0]], "tolerance": tolerance}), message)
            for tolerance, message in [
                (float("inf"), "tolerance: expected a number, got inf"),
                (float("nan"), "tolerance: expected a number, got nan"),
                (1e300, r"golden: tolerance: expected 0…0\.15 of a probability, got 1e\+300"),
                (0.16, "tolerance: expected 0…0.15"),
                (-0.01, "tolerance: expected 0…0.15"),
            ]
        ),
        (_changed(golden={"probabilities": [[1, 0, 0], [1]], "tolerance": 0}), "expected rows of one length"),
        (_changed(golden={"probabilities": [], "tolerance": 0}), "expected rows of one length"),
        (_changed(golden={"probabilities": [[1]] * 100_001, "tolerance": 0}), "probabilities: expected a list of at"),
        (_changed(versions={str(key): "1" for key in range(100_001)}), "expected an object of at most 100,000 keys"),
        (_changed(labels=["a", "b" * 1001]), "expected at most 1,000 characters, got 1,001"),
        (_changed(name="n" * 1001), "expected at most 1,000 characters, got 1,001"),
        (_changed(labels=["a", "\ud800"]), "expected Unicode text"),
        (_changed(licence="x" * (4 << 20)), "manifest: expected at most 4 MiB, got 4.0"),
    ],
)
def test_a_damaged_manifest_is_a_model_error(text: str | bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Manifest.from_json(text)


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, 1),
        ({"background": (0, 0, 0), "decode": Decode.SCALED}, 1),
        ({"interpolation": Interpolation.NEAREST}, 2),
        ({"resize_size": 72}, 2),
    ],
)
def test_a_file_is_refused_by_versions_that_would_resize_it_otherwise(changes: Any, version: int) -> None:
    """Version 1 ignores the keys that it does not know."""
    spec = dataclasses.replace(InputSpec(64, 48, Colour.RGB, Resize.CROP), **changes)
    manifest = dataclasses.replace(FULL, input=spec)
    assert json.loads(manifest.to_json())["schema_version"] == version
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize_size": 72}, "resize_size: expected the resize policy crop beside it, got squash"),
        (
            {"resize": Resize.CROP, "resize_size": 63},
            "expected 64 or more, the longer side of the crop 64x48, .* got 63",
        ),
        ({"resize": Resize.CROP, "resize_size": 10_000}, "at most 8192, got 10000"),
        ({"interpolation": Interpolation.NEAREST, "decode": Decode.SCALED}, "decode: expected full beside .* nearest"),
    ],
)
def test_a_policy_that_nobody_can_follow_is_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(InputSpec(64, 48, Colour.RGB), **changes)


@pytest.mark.parametrize("background", [(0, 0), (0, 0, 256), (-1, 0, 0)])
def test_a_background_is_three_bytes(background: Any) -> None:
    with pytest.raises(ValueError, match="background: expected three values"):
        InputSpec(1, 1, Colour.RGB, background=background)


@pytest.mark.parametrize(("height", "width"), [(0, 4), (4, 0), (-1, 4), (4, -1)])
def test_an_input_has_a_size(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"input size: expected at least 1x1, got {height}x{width}"):
        InputSpec(height, width, Colour.RGB)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255)])
def test_the_ends_of_a_background_are_bytes(background: tuple[int, int, int]) -> None:
    assert InputSpec(1, 1, Colour.RGB, background=background).background == background


COUNTS = st.integers(0, 10**6)
WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
ACCURACIES = st.none() | st.tuples(COUNTS, COUNTS).map(lambda two: Accuracy(min(two), max(1, *two)))
MANIFESTS = st.builds(
    Manifest,
    name=WORDS,
    labels=st.lists(WORDS, min_size=2, max_size=4, unique=True).map(tuple),
    input=st.builds(
        InputSpec,
        height=st.integers(1, 5000),
        width=st.integers(1, 5000),
        colour=st.sampled_from(Colour),
        resize=st.sampled_from(Resize),
        background=st.tuples(*[st.integers(0, 255)] * 3),
        decode=st.sampled_from(Decode),
    ),
    scheme=st.sampled_from(Scheme),
    recipe=st.none() | WORDS,
    accuracy=ACCURACIES,
    agreement=ACCURACIES,
    calibration=st.none() | st.builds(Calibration, COUNTS, st.integers(), WORDS, WORDS),
    in_float=st.lists(WORDS, max_size=3).map(tuple),
    arena_bytes=st.none() | COUNTS,
    golden=st.none()
    | st.builds(
        GoldenCheck,
        st.lists(st.tuples(*[st.floats(0, 1)] * 2), min_size=1, max_size=3).map(tuple),
        tolerance=st.floats(0, 0.15),
    ),
    versions=st.dictionaries(WORDS, WORDS, max_size=3),
    optimization=st.none() | st.builds(Optimization, st.none() | st.floats(0, 1), st.none() | COUNTS, st.booleans()),
    content_crc32=st.none() | st.integers(0, 2**32 - 1),
)


@given(MANIFESTS)
def test_any_manifest_comes_back_from_its_bytes(manifest: Manifest) -> None:
    text = manifest.to_json().encode()
    assert Manifest.from_json(text) == manifest
    assert Manifest.from_json(text).to_json().encode() == text


@pytest.mark.parametrize(
    ("done", "variant", "changes_weights"),
    [
        (Optimization(), "", False),
        (Optimization(sparsity=0.0), "pruned", True),
        (Optimization(clusters=16), "clustered", True),
        (Optimization(quantization_aware=True, epochs=3), "qat", False),
        (Optimization(0.5, 16, quantization_aware=True), "pruned_clustered_qat", True),
    ],
)
def test_what_an_optimization_has_done(done: Optimization, variant: str, changes_weights: bool) -> None:
    assert (done.variant, done.changes_weights) == (variant, changes_weights)
