"""`make interop`: a crash is an answer, pixels become what a tensor takes, and the page says whose failure it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest

INTEROP = Path(__file__).parents[3] / "benchmarks" / "peers" / "interop"

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(INTEROP)
    import adapter
    import ask
    import engines
    import table
    from subjects import File

_FAKE = f"""
import os, signal, sys
sys.path.insert(0, {str(INTEROP)!r})
import numpy as np
from adapter import serve

def open_model(path, shape):
    path = os.path.basename(path)
    if "crash" in path:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "refuse" in path:
        raise ValueError("no operator\\n of that kind")
    return "compiled" if "compile" in path else lambda image: np.array([image.mean(), shape[0]])

serve(open_model)
"""


@pytest.mark.parametrize("engine", engines.ENGINES, ids=lambda engine: engine.name)
def test_every_engine_has_an_adapter_and_releases(engine: Any) -> None:
    assert (INTEROP / f"{engine.adapter}.py").exists()
    assert engine.releases
    assert set(engine.suffixes) <= set(engines.REFERENCE)


def test_the_tests_releases_are_among_the_engines() -> None:
    found = {(engine.name, release.version) for engine, release in engines.ci_releases()}
    assert found == {(name, version) for name, versions in engines.CI.items() for version in versions}


@needs.posix
def test_a_crash_is_the_answer_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_adapter.py").write_text(_FAKE)
    monkeypatch.setattr(ask, "HERE", tmp_path)
    images = tmp_path / "images.npy"
    np.save(images, np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1))
    engine = engines.Engine("fake", "fake_adapter", (".tflite",), (), registry="npm")  # runs in this Python
    names = ("opens", "crash", "refuse", "compile", "opens too")
    requests = [ask.Request(tmp_path / name, images, tmp_path / f"{name}.npy") for name in names]
    answers = dict(zip(names, ask.ask(engine, engines.Release("1", ()), requests), strict=True))
    assert {name: answer["error"] for name, answer in answers.items()} == {
        "opens": None,
        "crash": "its process dies of SIGSEGV",
        "refuse": "no operator of that kind",
        "compile": None,
        "opens too": None,
    }
    assert [answers[name]["images"] for name in names] == [2, 0, 0, 0, 2]
    assert answers["compile"]["note"] == "compiled"
    np.testing.assert_array_equal(np.load(tmp_path / "opens too.npy"), [[5.5, 3], [17.5, 3]])


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        (np.float32, 0.0, 0, [0, 1, 255]),
        (np.uint8, 0.0, 0, [0, 1, 255]),
        (np.int8, 0.0, 0, [-128, -127, 127]),
        (np.int8, 2.0, -128, [-128, -128, 0]),
    ],
)
def test_pixels_become_what_the_tensor_takes(dtype: type, scale: float, zero_point: int, expected: list[float]) -> None:
    values = adapter.encode(np.array([0, 1, 255], np.uint8), dtype, scale, zero_point)
    assert values.dtype == dtype
    assert values.tolist() == expected


def test_integers_become_probabilities() -> None:
    for values, dtype in (([0, 128], np.uint8), ([-128, 0], np.int8), ([0, 16384], np.int16)):
        np.testing.assert_allclose(adapter.decode(np.array(values, dtype)), [0, 0.5])


OPENS = table.Cell(works=True, error=None, note=None, images=100, same=100)
OTHER = table.Cell(works=True, error=None, note=None, images=100, same=99)
FAILS = table.Cell(works=False, error="no", note=None)


@pytest.mark.parametrize(
    ("ours", "control", "expected"),
    [
        (OPENS, FAILS, table.Verdict.SAME),
        (OTHER, OPENS, table.Verdict.OTHER),
        (FAILS, OPENS, table.Verdict.FAILS),
        (FAILS, FAILS, table.Verdict.BOTH_FAIL),
        (FAILS, None, table.Verdict.BOTH_FAIL),
    ],
)
def test_our_file_is_judged_beside_the_control(ours: Any, control: Any, expected: Any) -> None:
    assert table.verdict(ours, control) is expected


@dataclass
class MadeSubject:
    """Two files in one engine's form, and Keras's labels."""

    folder: Path
    recipe: str = "made"

    @property
    def keras_labels(self) -> Path:
        return self.folder / "labels.npy"

    def files(self) -> list[File]:
        return [File("made", ".onnx", "int8", control, self.folder / f"{control}.onnx") for control in (False, True)]


def test_the_page_counts_what_fails_where_the_control_opens(tmp_path: Path) -> None:
    subject = MadeSubject(tmp_path)
    np.save(subject.keras_labels, np.array([0, 1]))
    np.save(tmp_path / "rows.npy", np.array([[0.9, 0.1], [0.2, 0.8]], np.float32))
    for file in subject.files():
        file.path.write_bytes(str(file.control).encode())
    ours, control = (file.digest for file in subject.files())
    opened = {"opened": True, "error": None, "note": None, "images": 2, "microseconds": 7.4}
    opened["probabilities"] = str(tmp_path / "rows.npy")
    refused = {**opened, "opened": False, "error": "/home/somebody/engine.cc:12: no operator", "images": 0}
    names = [file.name for file in subject.files()]

    def record(version: str, mine: dict[str, Any]) -> dict[str, Any]:
        files = {names[0]: {**mine, "digest": ours}, names[1]: {**opened, "digest": control}}
        return {"version": version, "files": files}

    results = {
        ("ONNX Runtime", "current"): record("9.9", opened),
        ("ONNX Runtime", "1.15.1"): record("1.15.1", refused),
        ("ONNX Runtime", "1.17.3"): {"missing": "no wheel", "files": {}},
        # Of a file that is no longer there.
        ("OpenVINO", "2024.6.0"): {"version": "2024", "files": {names[0]: {**opened, "digest": "old"}}},
    }
    table.write(tmp_path / "page.md", results, [subject])
    page = (tmp_path / "page.md").read_text()
    assert "**Of 2 pairs of a file and a release (2 releases of 1 engines)" in page
    assert "ours opens in 1, with the same label for every image in 1.**" in page
    assert "| ONNX Runtime 1.15.1 |  |  | **fails** |" in page
    assert "| ONNX Runtime 9.9 |  |  | yes |" in page
    assert "| ONNX Runtime 1.15.1 | ours |  |  | **fails** [1] |" in page
    assert "| ONNX Runtime 9.9 | ours |  |  | 2/2 · 2/2 · 0 · 7 |" in page
    assert "1. engine.cc:12: no operator" in page
    assert "- ONNX Runtime 1.17.3: no wheel" in page
    assert "2024" not in page
