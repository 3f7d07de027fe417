"""Situations of machines and installations, and the problems found in them."""

import dataclasses
from pathlib import Path

import pytest

from edgecnn_benchmarks.machine.cuda import Cuda
from edgecnn_benchmarks.machine.description import Machine
from edgecnn_benchmarks.machine.diagnosis import Places, Severity, Situation, find_problems, int8_outlook
from edgecnn_benchmarks.machine.extras import Extra, Requirement
from edgecnn_benchmarks.machine.probes import EngineProbe, Gpu

MACHINE = Machine(
    cpu="Some CPU",
    architecture="x86_64",
    available_cpus=4,
    online_cpus=4,
    physical_cores=4,
    cpu_features=("avx2", "avx_vnni"),
    governor=None,
    memory_bytes=8 * 2**30,
    load_average=(0.0, 0.0, 0.0),
    system="Debian",
    kernel="6.1",
    python="3.11.7",
    packages={"edgecnn": "0.1.0"},
)
LITERT = EngineProbe("litert", (".tflite",), ("ai-edge-litert",), None)
ONNX = EngineProbe("onnxruntime", (".onnx",), ("onnxruntime",), None, ("CPUExecutionProvider",))
BOTH = dataclasses.replace(ONNX, packages=("onnxruntime", "onnxruntime-gpu"))
H100 = "NVIDIA H100, 81559 MiB, 550.54"
HEALTHY = Situation(
    machine=MACHINE,
    extras=(Extra("", (Requirement("numpy", "1.26", "2.0"),)),),
    backends=(LITERT, ONNX),
    gpu=Gpu((), None),
    cuda=Cuda({}, ()),
    places=Places(home=Path("/home/ann/.cache/edgecnn"), prepared=(), data=None),
    home_writable=True,
    data_exists=False,
    legacy_keras=False,
)


def processor(*features: str) -> Machine:
    return dataclasses.replace(MACHINE, cpu_features=features)


BROKEN, WARNING = Severity.BROKEN, Severity.WARNING

# What differs from the healthy situation; severity, a part of what is wrong, and a part of what fixes it.
SITUATIONS = {
    "healthy": ({}, []),
    "one backend is enough": ({"backends": (LITERT, dataclasses.replace(ONNX, packages=()))}, []),
    "an extra that nobody asked for": ({"extras": (Extra("ray", (Requirement("ray", "2.40", None),)),)}, []),
    "both ONNX Runtimes": (
        {"backends": (LITERT, BOTH)},
        [
            (
                BROKEN,
                "onnxruntime and onnxruntime-gpu are both installed",
                "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime",
            )
        ],
    ),
    "both ONNX Runtimes beside a GPU": (
        {"backends": (LITERT, BOTH), "gpu": Gpu((H100,), ("GPU:0",))},
        [(BROKEN, "both installed", "&& pip install onnxruntime-gpu")],
    ),
    "no backend": (
        {"backends": tuple(dataclasses.replace(probe, packages=()) for probe in (LITERT, ONNX))},
        [(BROKEN, "no interpreter is installed", 'pip install "edgecnn[litert]"')],
    ),
    "a backend that crashes": (
        {"backends": (dataclasses.replace(LITERT, error="it crashed with SIGILL"), ONNX)},
        [(BROKEN, "ai-edge-litert is installed and does not load: it crashed with SIGILL", "--force-reinstall")],
    ),
    "legacy Keras": (
        {"legacy_keras": True},
        [(BROKEN, "TF_USE_LEGACY_KERAS is set", "unset TF_USE_LEGACY_KERAS")],
    ),
    "an old numpy": (
        {"extras": (Extra("", (Requirement("numpy", "1.26", "1.21.6"),)),)},
        [(BROKEN, "expected numpy 1.26 or later, got 1.21.6", 'pip install --upgrade "numpy>=1.26"')],
    ),
    "not installed": ({"extras": ()}, [(WARNING, "is not installed", "pip install -e .")]),
    "no Pillow": (
        {"extras": (Extra("", (Requirement("pillow", "10.3", None),)),)},
        [(BROKEN, "cannot do without pillow", "pip install pillow")],
    ),
    "a home without permission": (
        {"home_writable": False},
        [(BROKEN, "no permission for /home/ann/.cache/edgecnn", "export EDGECNN_HOME")],
    ),
    "no data folder": (
        {"places": dataclasses.replace(HEALTHY.places, data=Path("/typo"))},
        [(WARNING, "EDGECNN_DATA names /typo", "export EDGECNN_DATA")],
    ),
    "a GPU that TensorFlow does not see": (
        {"gpu": Gpu((H100,), ())},
        [(WARNING, "TensorFlow does not see the GPU (NVIDIA H100", 'pip install "tensorflow[and-cuda]"')],
    ),
    "a GPU without TensorFlow": ({"gpu": Gpu((H100,), None)}, []),
    "ONNX Runtime for TensorFlow's CUDA": ({"cuda": Cuda({"onnxruntime-gpu": 12, "tensorflow": 12}, (12,))}, []),
    "ONNX Runtime for another CUDA than TensorFlow brings": (
        {"cuda": Cuda({"onnxruntime-gpu": 13, "tensorflow": 12}, (12,))},
        [
            (
                BROKEN,
                "--provider cuda: onnxruntime-gpu is built for CUDA 13, and CUDA 12 is installed",
                'pip install "onnxruntime-gpu[cuda,cudnn]>=1.21,<1.27"',
            )
        ],
    ),
    "ONNX Runtime for another CUDA than something else brings": (
        {"cuda": Cuda({"onnxruntime-gpu": 12}, (11, 13))},
        [
            (
                BROKEN,
                "for CUDA 12, and CUDA 11 and 13 is installed",
                'pip install "onnxruntime-gpu[cuda,cudnn]>=1.21,<1.27"',
            )
        ],
    ),
    "ONNX Runtime on the CUDA of neither": (
        {"cuda": Cuda({"onnxruntime-gpu": 13}, (12,))},
        [(BROKEN, "for CUDA 13, and CUDA 12 is installed", 'pip install "onnxruntime-gpu[cuda,cudnn]>=1.27"')],
    ),
    "ONNX Runtime for a CUDA of tomorrow": (
        {"cuda": Cuda({"onnxruntime-gpu": 14}, (13,))},
        [(BROKEN, "for CUDA 14", 'pip install "onnxruntime-gpu[cuda,cudnn]"')],
    ),
    "a GPU without CUDA": (
        {"gpu": Gpu((H100,), None), "cuda": Cuda({"onnxruntime-gpu": 13}, ())},
        [(BROKEN, "for CUDA 13, and no CUDA is installed", "[cuda,cudnn]>=1.27")],
    ),
    "neither GPU nor CUDA": ({"cuda": Cuda({"onnxruntime-gpu": 13, "tensorflow": 12}, ())}, []),
    "both CUDAs": ({"cuda": Cuda({"onnxruntime-gpu": 13, "tensorflow": 12}, (12, 13))}, []),
    "a CUDA that is found where nobody looks": (
        {
            "cuda": Cuda({"onnxruntime-gpu": 13, "tensorflow": 12}, (12,)),
            "backends": (LITERT, dataclasses.replace(ONNX, providers=("CUDAExecutionProvider",))),
        },
        [],
    ),
    "no VNNI": ({"machine": processor("avx2")}, [(WARNING, "no instruction multiplies int8", "edgecnn bench")]),
    "no dot product": ({"machine": processor()}, [(WARNING, "no instruction multiplies int8", "edgecnn bench")]),
    "broken things first": (
        {"machine": processor(), "legacy_keras": True},
        [(BROKEN, "TF_USE_LEGACY_KERAS", "unset"), (WARNING, "no instruction", "bench")],
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_problems(name):
    changes, expected = SITUATIONS[name]
    problems = find_problems(dataclasses.replace(HEALTHY, **changes))
    assert [problem.severity for problem in problems] == [severity for severity, _, _ in expected]
    for problem, (_, what, fix) in zip(problems, expected, strict=True):
        assert what in problem.what
        assert fix in problem.fix


OUTLOOKS = [
    (("avx2", "avx512f", "avx512_vnni", "amx_int8"), "AMX"),
    (("avx2", "avx_vnni"), "VNNI"),
    (("asimddp", "i8mm"), "int8 matrix"),
    (("asimddp",), "dot-product"),
    (("avx2",), "no instruction"),
    ((), "no instruction"),
    (None, "does not report"),
]


@pytest.mark.parametrize(("features", "part"), OUTLOOKS)
def test_int8_outlook(features, part):
    assert part in int8_outlook(features)
