"""Which extras are installed, from the lines of the metadata."""

import importlib.metadata

import pytest

from edgecnn_benchmarks.machine.extras import Requirement, extras_of, installed_extras, parse_requirement

LINES = {
    "numpy>=1.26": ("numpy", "1.26", ""),
    "numpy": ("numpy", None, ""),
    "ai-edge-litert>=2.0; extra == 'litert'": ("ai-edge-litert", "2.0", "litert"),
    'ray[data]>=2.40 ; extra == "ray"': ("ray", "2.40", "ray"),
    "build; extra == 'dev'": ("build", None, "dev"),
    "tensorflow (>=2.19,<3) ; python_version < '3.13' and extra == 'train'": ("tensorflow", "2.19", "train"),
    "tensorflow[and-cuda]<3,>=2.19; extra == 'all-gpu'": ("tensorflow", "2.19", "all-gpu"),
    "numpy<3; python_version >= '3.13'": ("numpy", None, ""),
    "keras>=3.10,<4; python_version < '3.13' and extra == 'train'": ("keras", "3.10", "train"),
}


@pytest.mark.parametrize("line", LINES)
def test_requirement_lines(line):
    assert parse_requirement(line) == LINES[line]


VERSIONS = [
    ("2.19", "2.19.0", False),
    ("2.19", "2.21.0rc1", False),
    ("2.19", "2.9.1", True),
    ("2.19.1", "2.19", True),
    ("2.0", "2", False),
    ("1.26", None, False),
    (None, "0.1", False),
]


@pytest.mark.parametrize(("minimum", "installed", "too_old"), VERSIONS)
def test_too_old(minimum, installed, too_old):
    assert Requirement("x", minimum, installed).too_old is too_old


def test_missing_packages_and_the_line_that_brings_them():
    lines = [
        "numpy>=1.26",
        "onnxruntime>=1.20; extra == 'onnx'",
        "onnxruntime-gpu>=1.20; extra == 'onnx-gpu'",
        "starlette>=0.40; extra == 'serve'",
        "uvicorn>=0.30; extra == 'serve'",
    ]
    extras = {extra.name: extra for extra in extras_of(lines, {"numpy": "2.0", "onnxruntime": "1.20"})}
    assert {name: extra.missing for name, extra in extras.items()} == {
        "": (),
        "onnx": (),
        "onnx-gpu": ("onnxruntime-gpu",),
        "serve": ("starlette", "uvicorn"),
    }
    assert extras["serve"].pip_line == 'pip install "edgecnn[serve]"'
    # Never both: the line takes the other one away first.
    assert extras["onnx-gpu"].pip_line == 'pip uninstall -y onnxruntime && pip install "edgecnn[onnx-gpu]"'


def test_every_extra_of_the_distribution_is_found():
    provided = importlib.metadata.metadata("edgecnn").get_all("Provides-Extra")
    assert {extra.name for extra in installed_extras()} == {"", *provided}
