"""The C++ source of an all-integer file: compiled, run on this machine, and compared with the file it was made of."""

import ctypes
import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import needs
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from micro import A_LOGIT_STEP, MicroBackend, write_micro_headers
from numpy.typing import NDArray
from tiny_classifier import RGB_16, tiny_classifier

from edgecnn_export.micro.bare_network import bare_network
from edgecnn_export.micro.c_source import CSource, c_identifier, c_string, write_c_source
from edgecnn_export.micro.operators import resolver_methods
from edgecnn_export.tflite.flatbuffer import pack, unpack
from edgecnn_export.tflite.manifest import embed_in_tflite
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.errors import GateError, ModelError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import TFLITE_FILE, Manifest
from edgecnn_runtime.model_files.tflite_file import read_associated_file

ROOT = Path(__file__).parents[3]
# A name that is no identifier, and labels that a C++ compiler would read as something else.
NAME = '2 "parts"\\'
LABELS = ('a "quoted"\\', "一百", "what??/ 50 %", "two\nlines")

# What a device's program would do, made callable: each name of the header is used.
WRAPPER = """
#include "{header}"
using namespace {namespace};
struct Resolver {{
  char names[4096] = "";
  int next = 0;
{methods}
}};
extern "C" {{
const unsigned char* data() {{ return kData; }}
size_t data_size() {{ return kDataSize; }}
const char* label(int k) {{ return kLabels[k]; }}
int shape(int k) {{
  const int all[] = {{kHeight, kWidth, kChannels, kClasses, static_cast<int>(kInputSize), kGoldenImages}};
  return all[k];
}}
float scale(int k) {{ return k ? kOutputScale : kInputScale; }}
int zero_point(int k) {{ return k ? kOutputZeroPoint : kInputZeroPoint; }}
int from_pixel(int pixel) {{ return FromPixel(static_cast<uint8_t>(pixel)); }}
float probability(int value) {{ return Probability(static_cast<Output>(value)); }}
int best(const Output* output) {{ return Best(output); }}
void golden_input(int image, Input* input) {{ WriteGoldenInput(image, input); }}
bool golden_matches(int image, const Output* output) {{ return GoldenOutputMatches(image, output); }}
const char* operators() {{
  static Resolver resolver;
  return AddOperators(resolver) && resolver.next == kOperatorCount ? resolver.names : nullptr;
}}
}}
"""
METHOD = '  int {name}() {{ ++next; __builtin_strcat(names, "{name} "); return 0; }}'


def compiler(name: str) -> str:
    """Return a compiler's path, or skip the test."""
    package = {"g++": "g++", "arm-none-eabi-g++": "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib"}[name]
    return needs.program(name, install=package)


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=[False, True], ids=["uint8", "int8"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CSource:
    folder = tmp_path_factory.mktemp("firmware")
    return write_c_source(tiny_classifier(folder / "parts.tflite", signed=request.param, name=NAME, labels=LABELS))


@pytest.fixture(scope="module")
def firmware(source: CSource) -> ctypes.CDLL:
    """The source and the wrapper above as a library."""
    folder = source.source.parent
    methods = "\n".join(METHOD.format(name=name) for name in resolver_methods(source.operators))
    text = WRAPPER.format(header=source.header.name, namespace=f"{c_identifier(NAME)}_model", methods=methods)
    (folder / "wrapper.cc").write_text(text)
    strict = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    library = folder / "firmware.so"
    run(compiler("g++"), *strict, "-shared", "-fPIC", folder / "wrapper.cc", source.source, "-o", library)
    loaded = ctypes.CDLL(str(library))
    loaded.data.restype = ctypes.c_void_p
    loaded.data_size.restype = ctypes.c_size_t
    loaded.label.restype = loaded.operators.restype = ctypes.c_char_p
    loaded.scale.restype = loaded.probability.restype = ctypes.c_float
    loaded.golden_matches.restype = ctypes.c_bool
    return loaded


def _interpreter(model: Path) -> Interpreter:
    """Open a model with TFLite's reference kernels, which are TFLite-Micro's."""
    interpreter = Interpreter(str(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    return interpreter


def _golden_outputs(model: Path) -> list[NDArray[np.generic]]:
    """Return the output tensor for each golden image, as the interpreter leaves it."""
    interpreter = _interpreter(model)
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in golden_images(RGB_16):
        # pixel or pixel - 128
        values = (image.astype(int) + pixels["quantization"][1]).astype(pixels["dtype"])
        interpreter.set_tensor(pixels["index"], values[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(probabilities["index"])[0])
    return rows


def _probabilities(source: CSource, output: NDArray[np.generic]) -> NDArray[np.float64]:
    details = _interpreter(source.model).get_output_details()[0]
    scale, zero_point = (1, 0) if details["dtype"] is np.float32 else details["quantization"]
    return scale * (output.astype(float) - zero_point)


def _golden_input(firmware: ctypes.CDLL, image: int, dtype: type) -> NDArray[np.generic]:
    values = np.empty(RGB_16.shape, dtype)
    firmware.golden_input(image, values.ctypes.data_as(ctypes.c_void_p))
    return values


def _matches(firmware: ctypes.CDLL, image: int, output: NDArray[np.generic]) -> bool:
    matched: bool = firmware.golden_matches(image, np.ascontiguousarray(output).ctypes.data_as(ctypes.c_void_p))
    return matched


@pytest.mark.parametrize(
    "command",
    [
        ("g++", "-std=c++17", "-Wall", "-Werror"),
        ("g++", "-std=c++11", "-Wall", "-Wextra", "-Werror"),
        ("arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-std=c++17", "-Wall", "-Werror", "-fno-exceptions"),
    ],
    ids=" ".join,
)
def test_it_compiles_without_a_warning(source: CSource, command: tuple[str, ...], tmp_path: Path) -> None:
    run(compiler(command[0]), *command[1:], "-c", source.source, "-o", tmp_path / "model_data.o")


def test_the_array_is_the_network_alone_and_aligned(source: CSource, firmware: ctypes.CDLL, tmp_path: Path) -> None:
    array = ctypes.string_at(firmware.data(), firmware.data_size())
    assert array == bare_network(source.model.read_bytes())
    assert firmware.data() % 16 == 0
    assert len(array) == source.flash_bytes < 0.6 * source.model.stat().st_size
    (tmp_path / "array.tflite").write_bytes(array)
    pixels = np.random.default_rng(0).integers(0, 256, (20, *RGB_16.shape), np.uint8)
    for reference in (False, True):
        found, expected = (
            LiteRTBackend(path, reference=reference).infer(pixels) for path in (tmp_path / "array.tflite", source.model)
        )
        np.testing.assert_array_equal(found, expected)


def test_the_constants_are_those_of_the_tensors(source: CSource, firmware: ctypes.CDLL) -> None:
    assert [firmware.shape(k) for k in range(6)] == [*RGB_16.shape, len(LABELS), np.prod(RGB_16.shape), 4]
    interpreter = _interpreter(source.model)
    (pixels,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    zero = -128 if pixels["dtype"] is np.int8 else 0
    assert (firmware.scale(0), firmware.zero_point(0)) == (1.0, zero) == pixels["quantization"]
    assert [firmware.from_pixel(pixel) for pixel in range(256)] == list(range(zero, zero + 256))
    scale, zero_point = (1.0, 0) if output["dtype"] is np.float32 else output["quantization"]
    assert (firmware.scale(1), firmware.zero_point(1)) == (scale, zero_point)
    for value in range(128):
        assert firmware.probability(value) == np.float32(scale) * np.float32(value - zero_point)


def test_labels_arrive_as_they_are(firmware: ctypes.CDLL) -> None:
    assert tuple(firmware.label(k).decode() for k in range(len(LABELS))) == LABELS


def test_each_operator_is_registered_once(source: CSource, firmware: ctypes.CDLL) -> None:
    used = {detail["op_name"] for detail in _interpreter(source.model)._get_ops_details()}
    assert {"CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "RESHAPE", "SOFTMAX"} <= used
    assert firmware.operators().decode().split() == list(resolver_methods(sorted(used)))


def test_of_equal_classes_the_first_is_the_best(source: CSource, firmware: ctypes.CDLL) -> None:
    output = np.array([3, 7, 7, 5], _interpreter(source.model).get_output_details()[0]["dtype"])
    assert firmware.best(output.ctypes.data_as(ctypes.c_void_p)) == 1


def test_the_golden_images_are_the_runtimes(source: CSource, firmware: ctypes.CDLL) -> None:
    pixels = _interpreter(source.model).get_input_details()[0]
    for image, expected in enumerate(golden_images(RGB_16)):
        values = _golden_input(firmware, image, pixels["dtype"])
        np.testing.assert_array_equal(values, expected.astype(int) + pixels["quantization"][1])


def test_the_golden_check_passes_here_and_fails_elsewhere(source: CSource, firmware: ctypes.CDLL) -> None:
    output = _interpreter(source.model).get_output_details()[0]
    # 4/256 is the tolerance of the manifest.
    step = 1 if output["dtype"] is np.float32 else output["quantization"][0]
    for image, row in enumerate(_golden_outputs(source.model)):
        assert _matches(firmware, image, row)
        for share, matches in ((0.99, True), (1.3, False)):
            other = row.astype(float)
            other[row.argmax()] -= share * (4 / 256) / step
            assert _matches(firmware, image, other.astype(output["dtype"])) is matches


def test_tflite_micro_passes_the_golden_check_with_the_array(source: CSource, firmware: ctypes.CDLL) -> None:
    micro = MicroBackend(ctypes.string_at(firmware.data(), firmware.data_size()))
    dtype = _interpreter(source.model).get_input_details()[0]["dtype"]
    for image, expected in enumerate(_golden_outputs(source.model)):
        output = micro.invoke(_golden_input(firmware, image, dtype))
        assert _matches(firmware, image, output)
        np.testing.assert_allclose(
            _probabilities(source, output[0]), _probabilities(source, expected), atol=A_LOGIT_STEP
        )


def _changed(source: CSource, folder: Path, **fields: object) -> Path:
    """Write the model file anew with other fields in its manifest."""
    text = read_associated_file(source.model.read_bytes(), TFLITE_FILE)
    assert text is not None
    manifest = dataclasses.replace(Manifest.from_json(text), **fields)  # type: ignore[arg-type]
    changed = folder / "changed.tflite"
    changed.write_bytes(embed_in_tflite(source.model.read_bytes(), manifest))
    return changed


def test_the_arena_stands_in_the_header(source: CSource, tmp_path: Path) -> None:
    assert "// Not measured: 'pip install tflite-micro'" in source.header.read_text()
    assert "kArenaSize" not in source.header.read_text()
    measured = write_c_source(_changed(source, tmp_path, arena_bytes=47680))
    assert "constexpr size_t kArenaSize = 47680;" in measured.header.read_text()


def test_an_input_of_another_scale_gets_a_table(source: CSource, tmp_path: Path) -> None:
    """As when no calibration image is darker than 10 or brighter than 200."""
    model = unpack(source.model.read_bytes())
    graph = model.subgraphs[0]
    quantization = graph.tensors[graph.inputs[0]].quantization
    quantization.scale, quantization.zeroPoint = [0.8], [quantization.zeroPoint[0] + 28]
    other = tmp_path / "other.tflite"
    text = read_associated_file(source.model.read_bytes(), TFLITE_FILE)
    assert text is not None
    other.write_bytes(embed_in_tflite(pack(model), Manifest.from_json(text)))
    written = write_c_source(other)
    (table,) = re.findall(r"kFromPixel\[256\] = \{([^}]*)\}", written.source.read_text())
    backend = LiteRTBackend(other)
    assert backend._encode is not None
    expected = backend._encode(np.arange(256, dtype=np.uint8))
    assert [int(value) for value in table.replace(",", " ").split()] == expected.tolist()
    run(compiler("g++"), "-std=c++17", "-Wall", "-Werror", "-c", written.source, "-o", tmp_path / "other.o")


def test_an_output_in_float_is_a_probability_already(tmp_path: Path) -> None:
    """As in the usual form, whose last layer computes in float32."""
    model = tiny_classifier(tmp_path / "parts.tflite")
    written = write_c_source(model)
    header = written.header.read_text()
    assert "using Output = float;" in header
    assert "return value;" in header
    assert "DEQUANTIZE" in written.operators
    run(compiler("g++"), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-c", written.source, "-o", tmp_path / "float.o")


def test_both_files_are_written_or_none(source: CSource, tmp_path: Path) -> None:
    model = shutil.copy(source.model, tmp_path)
    header = tmp_path / source.header.name
    header.write_text("of an earlier export")
    (tmp_path / source.source.name).mkdir()
    with pytest.raises(OSError):  # noqa: PT011 (which one depends on the system)
        write_c_source(Path(model))
    assert header.read_text() == "of an earlier export"
    assert {path.name for path in tmp_path.iterdir()} == {source.model.name, header.name, source.source.name}


def test_a_file_without_manifest_or_golden_check_is_refused(source: CSource, tmp_path: Path) -> None:
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(bare_network(source.model.read_bytes()))
    with pytest.raises(ModelError, match=r"bare\.tflite: expected .* manifest and golden check"):
        write_c_source(bare)
    with pytest.raises(ModelError, match="manifest and golden check; export it again"):
        write_c_source(_changed(source, tmp_path, golden=None))


def test_a_network_that_the_reference_kernels_refuse_is_refused(source: CSource, tmp_path: Path) -> None:
    """As an untrained network whose activations vanish: XNNPACK takes it."""
    model = unpack(source.model.read_bytes())
    graph = model.subgraphs[0]
    convolution = next(one for one in graph.operators if len(one.inputs) == 3)
    convolution.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    # The 6 would be 6e12 steps.
    graph.tensors[convolution.outputs[0]].quantization.scale = [1e-12]
    text = read_associated_file(source.model.read_bytes(), TFLITE_FILE)
    assert text is not None
    odd = tmp_path / "odd.tflite"
    odd.write_bytes(embed_in_tflite(pack(model), Manifest.from_json(text)))
    with pytest.raises(GateError, match=r"expected a network that TFLite's reference kernels run, since .*odd\.tflite"):
        write_c_source(odd)
    assert [path.name for path in tmp_path.iterdir()] == [odd.name]


def test_an_operator_that_tflite_micro_has_not_is_named() -> None:
    with pytest.raises(GateError, match=r"expected operators that TFLite-Micro has, got GELU, ATAN2; train"):
        resolver_methods(["CONV_2D", "GELU", "ATAN2"])


@pytest.mark.parametrize("text", ['"', "\\", "??=", "\x001", "é1", "\t", "数字", "😀"])
def test_a_string_is_ascii_and_reads_back(text: str) -> None:
    literal = c_string(text)
    assert literal.isascii()
    assert literal.isprintable()
    assert "??" not in literal
    read = literal[1:-1].replace("\\?", "?").encode().decode("unicode_escape").encode("latin-1").decode()
    assert read == text


@pytest.mark.parametrize("name", ["mnist", "2024", "_x", "a__b", "a-b.c", "数字", "", "int", "ÄÖ 3"])
def test_a_name_becomes_an_identifier(name: str) -> None:
    identifier = f"{c_identifier(name)}_model"
    assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", identifier)
    assert "__" not in identifier  # reserved in C++


def test_the_guides_main_loop_fits_the_header(tmp_path: Path) -> None:
    """Against stand-ins for the headers of TFLite-Micro that declare what the loop uses of them, and no more."""
    (block,) = re.findall(r"```cpp\n(.*?)```", (ROOT / "docs" / "exporting.md").read_text(), re.DOTALL)
    header = re.search(r'#include "(\w+)_model_data\.h"', block)
    assert header is not None
    written = write_c_source(tiny_classifier(tmp_path / "parts.tflite", name=header[1], arena_bytes=4096))
    write_micro_headers(tmp_path, resolver_methods(written.operators))
    (tmp_path / "main.cc").write_text(block)
    run(
        compiler("g++"), "-std=c++17", "-Wall", "-Werror", "-I", tmp_path, "-c", tmp_path / "main.cc", "-o", "/dev/null"
    )
