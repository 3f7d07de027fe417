"""Verdicts: tables of rules against tiny models, and the interpreters themselves where they are installed."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import needs
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper
from tiny_models import GREY_8, tiny_onnx
from tiny_tflite import TinyOperator, TinyTensor, constant, convolution, live, numbers, tiny_tflite

from edgecnn_export.inspection.model import InspectedModel, inspect_model
from edgecnn_export.inspection.targets import TARGETS, boards, edge_tpu, judge, litert, onnxruntime, tflite_micro
from edgecnn_export.inspection.targets.boards import BOARDS, KIB, MIB, own_board
from edgecnn_export.inspection.verdict import Fit, Verdict
from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.manifest import Manifest, Scheme

RELU6 = schema.ActivationFunctionType.RELU6


def _single(path: Path, kind: str, tensors: list[TinyTensor], options: object = None, **fields: int) -> InspectedModel:
    """Write and read a model of one operator, whose last tensor is its output."""
    count = len(tensors) - 1
    live_inputs = [number for number in range(count) if tensors[number].data is None]
    operator = TinyOperator(kind, range(count), (count,), options, fields)
    return inspect_model(tiny_tflite(path / "m.tflite", tensors, [operator], inputs=live_inputs))


@pytest.mark.parametrize(
    ("dtype", "weights", "answer", "why"),
    [
        ("int8", None, Fit.YES, ""),
        ("float32", None, Fit.YES, ""),
        ("float32", "int8", Fit.NO, "float activations with int8 weights are refused"),
        ("uint8", None, Fit.NO, "computes on uint8"),
    ],
)
def test_tflite_micro_as_its_interpreter_says(
    dtype: str, weights: str | None, answer: Fit, why: str, tmp_path: Path
) -> None:
    path = convolution(tmp_path / "m.tflite", dtype=dtype, weights=weights)
    verdict = tflite_micro.judge(inspect_model(path))
    assert verdict.answer is answer
    assert [why in obstacle.why for obstacle in verdict.obstacles] == ([True] if why else [])
    runtime = needs.package("tflite_micro", "tflite-micro").runtime
    if answer is Fit.YES:
        runtime.Interpreter.from_file(str(path), arena_size=100_000).invoke()
    else:
        with pytest.raises(RuntimeError):
            runtime.Interpreter.from_file(str(path), arena_size=100_000)


def test_of_an_integer_network_with_a_float_border_only_the_border_is_to_be_changed(tmp_path: Path) -> None:
    """What `inference_output_type=float32` gives: DEQUANTIZE behind the int8 layers."""
    tensors = [live(1, 20), constant(7, 20), live(1, 7), live(1, 7, dtype="float32")]
    operators = [
        TinyOperator("FULLY_CONNECTED", (0, 1, -1), (2,), schema.FullyConnectedOptionsT()),
        TinyOperator("DEQUANTIZE", (2,), (3,)),
    ]
    model = inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators))
    assert not model.computes_in_float
    assert tflite_micro.judge(model).summary == "all 2 operators are in its list"
    verdict = edge_tpu.judge(model)
    assert verdict.summary == "the first 1 of 2 operators on the Edge TPU, the rest on the CPU"
    assert verdict.obstacles[0].what == "DEQUANTIZE (operator 1)"
    assert "8-bit input and output" in verdict.obstacles[0].remedy


def test_a_file_of_ours_with_layers_in_float32_is_sent_back_to_what_keeps_them_there(tmp_path: Path) -> None:
    model = _single(tmp_path, "RELU", [live(1, 4, dtype="float32"), live(1, 4, dtype="float32")])
    manifest = Manifest("tiny", ("dark", "middle", "bright"), GREY_8, Scheme.INT8)
    remedies = [
        obstacle.remedy
        for in_float in ((), ("relu",))
        for obstacle in edge_tpu.judge(replace(model, manifest=replace(manifest, in_float=in_float))).obstacles
    ]
    assert ["network without layers that have no integer form" in remedy for remedy in remedies] == [False, True]


def test_tflite_micro_names_what_is_not_in_its_list(tmp_path: Path) -> None:
    tensors = [live(1, 4, dtype="float32") for _ in range(4)]
    operators = [
        TinyOperator("MyOwnOp", (0,), (1,)),
        TinyOperator("GELU", (1,), (2,), schema.GeluOptionsT()),
        TinyOperator("RELU", (2,), (3,)),
    ]
    verdict = tflite_micro.judge(inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators)))
    assert verdict.answer is Fit.NO
    assert [obstacle.what for obstacle in verdict.obstacles] == ["MyOwnOp (operator 0)", "GELU (operator 1)"]
    assert "AddCustom" in verdict.obstacles[0].remedy


def test_tflite_micro_refuses_float16_weights_and_open_sizes(tmp_path: Path) -> None:
    half = TinyTensor((4, 4), "float16", np.ones((4, 4), np.float16))
    tensors = [
        live(1, 4, dtype="float32"),
        half,
        live(4, 4, dtype="float32"),
        TinyTensor((1, 4), "float32", signature=(-1, -1)),
    ]
    operators = [
        TinyOperator("DEQUANTIZE", (1,), (2,)),
        TinyOperator("FULLY_CONNECTED", (0, 2, -1), (3,), schema.FullyConnectedOptionsT()),
    ]
    verdict = tflite_micro.judge(inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators)))
    whys = [obstacle.why for obstacle in verdict.obstacles]
    assert whys == ["float16 weights are refused", "the size of its output is open; memory is planned once"]


def test_the_operators_of_tflite_micro_are_those_of_the_schema() -> None:
    known = {name for name in vars(schema.BuiltinOperator) if name.isupper()}
    assert known >= tflite_micro.OPERATORS
    assert known >= set(edge_tpu.RULES)


POOL, CONV = schema.Pool2DOptionsT, schema.Conv2DOptionsT


@pytest.mark.parametrize(
    ("kind", "tensors", "options", "fields", "why"),
    [
        ("CONV_2D", [live(1, 4, 4, 2), constant(5, 1, 1, 2), live(1, 4, 4, 5)], CONV, {}, None),
        (
            "CONV_2D",
            [live(1, 4, 4, 2), constant(5, 1, 1, 2), live(1, 4, 4, 5)],
            CONV,
            {"dilationHFactor": 2},
            "expected the same dilation in both directions, got 2x1",
        ),
        ("CONV_2D", [live(1, 4, 4, 2), live(5, 1, 1, 2), live(1, 4, 4, 5)], CONV, {}, "got 5x1x1x2"),
        ("MAX_POOL_2D", [live(1, 4, 4, 2), live(1, 2, 2, 2)], POOL, {}, None),
        (
            "MAX_POOL_2D",
            [live(1, 4, 4, 2), live(1, 2, 2, 2)],
            POOL,
            {"fusedActivationFunction": RELU6},
            "fused activation RELU6",
        ),
        ("MEAN", [live(1, 4, 4, 6), numbers(1, 2), live(1, 6)], schema.ReducerOptionsT, {}, None),
        (
            "MEAN",
            [live(1, 4, 4, 6), numbers(3), live(1, 4, 4)],
            schema.ReducerOptionsT,
            {},
            "a multiple of 4 channels, got 6",
        ),
        ("MEAN", [live(1, 4, 4, 8), numbers(0), live(4, 4, 8)], schema.ReducerOptionsT, {}, "reduces the batch"),
        ("SOFTMAX", [live(1, 10), live(1, 10)], schema.SoftmaxOptionsT, {}, None),
        (
            "SOFTMAX",
            [live(1, 16_001), live(1, 16_001)],
            schema.SoftmaxOptionsT,
            {},
            "at most 16,000 elements",
        ),
        ("SOFTMAX", [live(1, 4, 10), live(1, 4, 10)], schema.SoftmaxOptionsT, {}, "expected an input of one dimension"),
        (
            "FULLY_CONNECTED",
            [live(3, 8), constant(4, 8), live(3, 4)],
            schema.FullyConnectedOptionsT,
            {},
            "expected an output of one dimension, got 3x4",
        ),
        ("PAD", [live(1, 4, 4, 2), numbers(0, 0, 1, 1, 1, 1, 0, 0), live(1, 6, 6, 2)], None, {}, None),
        ("PAD", [live(1, 4, 4, 2), numbers(0, 1, 0, 0, 0, 0, 0, 0), live(2, 4, 4, 2)], None, {}, "got 2x4x4x2"),
        ("RELU", [live(2, 4, 4, 2), live(2, 4, 4, 2)], None, {}, "expected 1 in all but the last three dimensions"),
        (
            "RELU",
            [live(1, 4, dtype="int16"), live(1, 4, dtype="int16")],
            None,
            {},
            "8-bit integers, got int16",
        ),
        (
            "RELU",
            [live(1, 4, dtype="float32"), live(1, 4, dtype="float32")],
            None,
            {},
            "8-bit integers, got float32",
        ),
        ("HARD_SWISH", [live(1, 4), live(1, 4)], None, {}, "not among its operations"),
        ("PRELU", [live(1, 4, 4, 2), constant(1, 1, 2), live(1, 4, 4, 2)], None, {}, None),
        (
            "PRELU",
            [live(1, 4, 4, 2), constant(4, 4, 2), live(1, 4, 4, 2)],
            None,
            {},
            "slope per channel, got 4x4x2",
        ),
        (
            "STRIDED_SLICE",
            [live(1, 4), numbers(0, 0), numbers(1, 4), numbers(1, 2), live(1, 2)],
            schema.StridedSliceOptionsT,
            {},
            "expected strides of 1, got 1x2",
        ),
        (
            "RELU",
            [live(1, 4), TinyTensor((1, 4), "int8", scales=(0.1,), signature=(1, -1))],
            None,
            {},
            "expected fixed sizes, got an open one",
        ),
    ],
)
def test_the_published_rules_of_the_edge_tpu(kind, tensors, options, fields, why: str | None, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = _single(tmp_path, kind, tensors, options() if options else None, **fields)
    verdict = edge_tpu.judge(model)
    assert verdict.answer is (Fit.YES if why is None else Fit.NO)
    assert [why in obstacle.why for obstacle in verdict.obstacles if why] == ([] if why is None else [True])


def test_the_edge_tpu_takes_what_stands_before_the_first_obstacle(tmp_path: Path) -> None:
    tensors = [live(1, 4) for _ in range(4)]
    operators = [TinyOperator(kind, (n,), (n + 1,)) for n, kind in enumerate(("RELU", "RELU", "HARD_SWISH"))]
    verdict = edge_tpu.judge(inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, operators)))
    assert verdict.answer is Fit.PARTLY
    assert verdict.summary == "the first 2 of 3 operators on the Edge TPU, the rest on the CPU"


def test_litert_tells_which_operators_xnnpack_takes(tmp_path: Path) -> None:
    verdict = litert.judge(inspect_model(convolution(tmp_path / "m.tflite", dtype="float32")))
    assert verdict.answer is Fit.YES
    assert verdict.summary.endswith("XNNPACK takes 3 of 3 operators")
    # XNNPACK has no int64 arithmetic.
    tensors = [live(1, 4, dtype="int64"), live(1, 4, dtype="int64"), live(1, 4, dtype="int64")]
    operator = TinyOperator("ADD", (0, 1), (2,), schema.AddOptionsT())
    path = tiny_tflite(tmp_path / "add.tflite", tensors, [operator], inputs=(0, 1))
    verdict = litert.judge(inspect_model(path))
    assert verdict.answer is Fit.YES
    assert verdict.summary.endswith("XNNPACK takes 0 of 1 operators")
    assert [obstacle.what for obstacle in verdict.obstacles] == ["ADD (operator 0)"]


@pytest.mark.parametrize(
    ("oldest", "kind", "dtype", "expected"),
    [
        ("1.14.0", "RELU", "int8", "TensorFlow 1.14.0, tflite-runtime 2.5, ai-edge-litert 1.0"),
        ("2.11.0", "RELU", "int8", "TensorFlow 2.11.0, tflite-runtime 2.11, ai-edge-litert 1.0"),
        ("2.15.0", "RELU", "int8", "TensorFlow 2.15.0, ai-edge-litert 1.0"),
        ("2.21.0", "RELU", "int8", "TensorFlow 2.21.0"),
        (None, "RELU", "int8", None),
        # Whatever the file says: no interpreter before had the kernel.
        ("2.15.0", "QUANTIZE", "int16", "ai-edge-litert 2.1.3"),
    ],
)
def test_the_oldest_release_of_each_interpreter(
    oldest: str | None, kind: str, dtype: str, expected: str | None, tmp_path: Path
) -> None:
    path = tiny_tflite(tmp_path / "m.tflite", [live(1, 4), live(1, 4, dtype=dtype)], [TinyOperator(kind, (0,), (1,))])
    graph = dataclasses.replace(inspect_model(path).graph, oldest_release=oldest)
    assert litert.oldest_interpreters(graph) == expected


def test_openvino_takes_files_of_both_containers(tmp_path: Path) -> None:
    needs.package("openvino", "edgecnn[openvino]")
    files = [
        convolution(tmp_path / "float.tflite", dtype="float32"),
        tiny_onnx(tmp_path / "m.onnx"),
    ]
    for file in files:
        (verdict,) = judge(inspect_model(file), ["openvino"])
        assert (verdict.answer, verdict.obstacles) == (Fit.YES, ())
        assert re.fullmatch(r"OpenVINO [\d.]+ opens it", verdict.summary)
    tensors = [live(1, 4, dtype="float32"), live(1, 4, dtype="float32")]
    custom = tiny_tflite(tmp_path / "custom.tflite", tensors, [TinyOperator("MyOwnOp", (0,), (1,))])
    (verdict,) = judge(inspect_model(custom), ["openvino"])
    (obstacle,) = verdict.obstacles
    assert (verdict.answer, obstacle.what) == (Fit.NO, "MyOwnOp (operator 0)")
    assert "MyOwnOp" in obstacle.why


def test_without_openvino_its_pip_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "openvino", replace(ENGINES["openvino"], packages={"absent": "absent"}))
    model = inspect_model(convolution(tmp_path / "m.tflite"))
    (verdict,) = judge(model, ["openvino"])
    assert (verdict.answer, verdict.summary.endswith('pip install "edgecnn[openvino]"')) == (Fit.OPEN, True)
    assert "openvino" not in {verdict.target for verdict in judge(model)}


def test_litert_names_a_custom_operator(tmp_path: Path) -> None:
    tensors = [live(1, 4, dtype="float32"), live(1, 4, dtype="float32")]
    path = tiny_tflite(tmp_path / "m.tflite", tensors, [TinyOperator("MyOwnOp", (0,), (1,))])
    verdict = litert.judge(inspect_model(path))
    (obstacle,) = verdict.obstacles
    assert (verdict.answer, obstacle.what) == (Fit.NO, "MyOwnOp (operator 0)")
    assert "unresolved custom op: MyOwnOp" in obstacle.why


def test_onnx_runtime_opens_a_file_or_names_the_operator(tmp_path: Path) -> None:
    assert onnxruntime.judge(inspect_model(tiny_onnx(tmp_path / "m.onnx"))).answer is Fit.YES
    graph = helper.make_graph(
        [helper.make_node("MyOwnOp", ["x"], ["y"], domain="my.domain")],
        "custom",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "custom.onnx")
    verdict = onnxruntime.judge(inspect_model(tmp_path / "custom.onnx"))
    (obstacle,) = verdict.obstacles
    assert (verdict.answer, obstacle.what) == (Fit.NO, "my.domain:MyOwnOp (operator 0)")
    assert "MyOwnOp" in obstacle.why


@pytest.mark.parametrize(("quantize_output", "answer"), [(True, Fit.YES), (False, Fit.PARTLY)])
def test_onnx_runtime_tells_what_runs_on_integers(quantize_output: bool, answer: Fit, tmp_path: Path) -> None:
    """Without a quantized output a convolution stays in float, though its input and weights are quantized."""
    weights = {
        "s": np.array(0.1, np.float32),
        "z": np.array(0, np.int8),
        "w": np.ones((3, 2, 3, 3), np.int8),
        "b": np.ones(3, np.int32),
        # A bias is added to the products: its scale is theirs.
        "sb": np.array(0.01, np.float32),
        "zb": np.array(0, np.int32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["f"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["fw"]),
        helper.make_node("DequantizeLinear", ["b", "sb", "zb"], ["fb"]),
        helper.make_node("Conv", ["f", "fw", "fb"], ["c" if quantize_output else "y"], name="conv"),
    ]
    if quantize_output:
        nodes += [
            helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
            helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        "qdq",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 6, 6])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    verdict = onnxruntime.judge(inspect_model(path))
    assert verdict.answer is answer
    assert f"{int(quantize_output)} of 1 convolutions" in verdict.summary


def _board_verdict(model: InspectedModel, flash: int, ram: int) -> Verdict:
    board = boards.Board("mine", "mine", flash, ram, "here")
    return board.judge(model, tflite_micro.judge(model))


def test_a_board_compares_flash_and_ram(tmp_path: Path) -> None:
    model = inspect_model(convolution(tmp_path / "m.tflite"))
    assert model.peak is not None
    assert model.peak.size == 288
    fits = _board_verdict(model, 10 * model.size, 2880)
    assert (fits.answer, fits.summary) == (Fit.YES, "10 % of the flash, 10 % of the RAM (estimate)")
    assert "tight" in _board_verdict(model, model.size + 10, 2880).summary
    no_flash = _board_verdict(model, model.size - 1, 2880)
    assert no_flash.answer is Fit.NO
    assert "more than the flash holds" in no_flash.obstacles[0].why
    assert "FULLY_CONNECTED (operator 2) alone is" in no_flash.obstacles[0].remedy
    no_ram = _board_verdict(model, 10 * model.size, 287)
    assert no_ram.obstacles[0].what == "RESHAPE (operator 1)"


@pytest.mark.parametrize(("weights", "smaller"), [("float32", True), ("int8", False)])
def test_only_float_weights_become_a_quarter(weights: str, smaller: bool, tmp_path: Path) -> None:
    model = inspect_model(convolution(tmp_path / "m.tflite", dtype="float32", weights=weights))
    too_large = _board_verdict(model, model.size - 1, MIB).obstacles[-1]
    assert ("a quarter of the size" in too_large.remedy) is smaller


def test_a_measured_arena_is_better_than_the_estimate(tmp_path: Path) -> None:
    manifest = Manifest("tiny", ("a", "b", "c"), GREY_8, Scheme.INT8, arena_bytes=1440)
    model = replace(inspect_model(convolution(tmp_path / "m.tflite")), manifest=manifest)
    assert _board_verdict(model, 10 * model.size, 2880).summary == "10 % of the flash, 50 % of the RAM (measured)"


def test_a_board_is_no_better_than_the_interpreter_that_runs_there(tmp_path: Path) -> None:
    model = inspect_model(convolution(tmp_path / "m.tflite", dtype="uint8"))
    verdict = _board_verdict(model, MIB, MIB)
    assert (verdict.answer, verdict.obstacles) == (Fit.NO, tflite_micro.judge(model).obstacles)


def test_every_board_has_its_figures_and_their_source() -> None:
    for name, board in BOARDS.items():
        assert name == board.name
        assert board.source.startswith("https://")
        assert board.ram >= 256 * KIB
        assert board.flash is None or board.flash >= MIB


@pytest.mark.parametrize("text", ["flash=1M", "flash=1M,ram=2", "flash=xM,ram=2K", "ram=2K", "flash=0K,ram=1K"])
def test_a_board_of_ones_own_is_written_one_way(text: str) -> None:
    with pytest.raises(InputError, match="target: "):
        own_board(text)


def test_the_estimate_equals_what_tflite_micro_plans(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The peak of live tensors is the head of its arena, which holds them; its own records are the tail."""
    runtime = needs.package("tflite_micro", "tflite-micro").runtime
    model = inspect_model(convolution(tmp_path / "m.tflite"))
    runtime.Interpreter.from_file(str(model.path), arena_size=100_000).print_allocations()
    assert model.peak is not None
    assert f"Arena allocation head {model.peak.size} bytes" in capfd.readouterr().err


def test_targets_are_judged_once_in_the_order_they_are_named(tmp_path: Path) -> None:
    model = inspect_model(convolution(tmp_path / "m.tflite"))
    verdicts = judge(model, ("raspberry-pi-pico", "flash=1M,ram=64K", "tflite-micro", "raspberry-pi-pico"))
    assert [verdict.target for verdict in verdicts] == ["raspberry-pi-pico", "flash=1M,ram=64K", "tflite-micro"]
    usual = [verdict.target for verdict in judge(model)]
    assert "onnxruntime" not in usual
    installed = {"openvino"} if ENGINES["openvino"].is_installed else set()
    assert {"litert", "tflite-micro", "edgetpu", "ethos-u55-128", *installed, *BOARDS} == set(usual)
    assert set(usual) < set(TARGETS)


def test_an_unknown_target_is_named_beside_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"target: expected .*litert, .*ethos-u55-128, .*raspberry-pi-pico.* \S?mars"):
        judge(inspect_model(convolution(tmp_path / "m.tflite")), ("litert", "mars"))
