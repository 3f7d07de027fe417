"""Every pitfall is reported where the figures have it, and nowhere else."""

import dataclasses

import pytest
from tiny_rows import row

from edgecnn_benchmarks.judging.pitfalls import find_pitfalls
from edgecnn_benchmarks.machine.description import Machine, describe_machine
from edgecnn_benchmarks.machine.state import MachineState
from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.statistics.intervals import Estimate

QUIET = MachineState(
    load_average=(0.1, 0.1, 0.1),
    frequencies_mhz=(1500.0, 1500.0),
    temperature_c=50.0,
    throttle_count=3,
    quota_throttled_count=7,
    quota_throttled_s=1.0,
)


def machine(**change: object) -> Machine:
    """A machine without any pitfall."""
    calm = {"available_cpus": 4, "cpu_features": ("asimddp",), "governor": "performance", "quota_cpus": None}
    return dataclasses.replace(describe_machine(), **(calm | change))


def model(name: str, scheme: str, provider: str, us: float = 100, **change: object) -> BenchRow:
    """A row of a model that is warm from its first call."""
    onnx = provider == "CPUExecutionProvider"
    made = dataclasses.replace(
        row(name, us=us, correct=None), scheme=scheme, provider=provider, backend="onnxruntime" if onnx else "litert"
    )
    return dataclasses.replace(made, **change)


FLOAT = model("float", "float32", "XNNPACK")
UNSTABLE = tuple(dataclasses.replace(measured, stable=False) for measured in FLOAT.rounds)

# A row beside float32's, the machine, its state at the end; the pitfall, and a piece of its sentence.
SPRUNG = {
    "int16x8": (
        [model("16x8", "int16x8", "built-in kernels", us=7000)],
        {},
        {},
        "int16x8-reference-kernels",
        "16x8 takes 7.00 ms",
    ),
    "float16": (
        [model("half", "float16", "XNNPACK", us=99)],
        {},
        {},
        "float16-on-cpu",
        "half: float16 halves the file",
    ),
    "int8 onnx": (
        [model("i8", "int8", "CPUExecutionProvider")],
        {"cpu_features": ("avx2",)},
        {},
        "int8-onnx-without-dot-product",
        "i8: this processor has no instruction",
    ),
    "threads": (
        [dataclasses.replace(FLOAT, name="float t8", threads=8)],
        {"available_cpus": 2, "quota_cpus": 1.5},
        {},
        "threads-over-cores",
        "8 threads on 2 processors (this container may use 1.5)",
    ),
    "first run": (
        [dataclasses.replace(FLOAT, name="slow start", first_us=Estimate(500, 400, 600))],
        {},
        {},
        "first-run",
        "as long as a steady one",
    ),
    "unstable": (
        [dataclasses.replace(FLOAT, name="wild", rounds=UNSTABLE)],
        {},
        {},
        "not-settled",
        "wild: in most rounds the latency",
    ),
    "governor": ([], {"governor": "ondemand"}, {}, "frequency-scaling", "governor is ondemand"),
    "throttled": ([], {}, {"throttle_count": 5}, "throttled", "2 times while it was measured, 50 °C"),
    "clock": ([], {}, {"frequencies_mhz": (1200.0, 600.0)}, "slower-clock", "from 1,500 to 900 MHz"),
    "quota": (
        [],
        {},
        {"quota_throttled_count": 9, "quota_throttled_s": 1.5},
        "quota",
        "held its processes back 2 times, 0.5 s",
    ),
}


@pytest.mark.parametrize("name", SPRUNG)
def test_pitfall_is_reported(name: str) -> None:
    rows, on, change, kind, piece = SPRUNG[name]
    (pitfall,) = find_pitfalls(
        [FLOAT, *rows], FLOAT, machine=machine(**on), start=QUIET, end=dataclasses.replace(QUIET, **change)
    )
    assert (pitfall.kind, pitfall.rows) == (kind, tuple(row.name for row in rows))
    assert piece in pitfall.sentence


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [model("16x8", "int16x8", "an-npu.so")],
        [model("half", "float16", "XNNPACK", us=60)],  # an ARM processor with float16 arithmetic
        [model("half", "float16", "CUDAExecutionProvider", us=200)],
        [model("i8", "int8", "CPUExecutionProvider")],  # this one has the dot product
    ],
)
def test_no_pitfall_where_there_is_none(rows: list[BenchRow]) -> None:
    unknown = MachineState(None, None, None, None, None, None)
    for state in (QUIET, unknown):
        assert find_pitfalls([FLOAT, *rows], FLOAT, machine=machine(), start=state, end=state) == ()
