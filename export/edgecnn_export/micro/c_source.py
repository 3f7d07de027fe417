"""C++ source of an all-integer TFLite file, for firmware that runs it with TFLite-Micro.

A pair `<name>_model_data.h` and `.cc`: the network as an aligned array, what goes in and what comes out, the operators
to register, the arena to reserve, the labels, and the golden check. The header needs nothing but the compiler's own
`stdint.h` and `stddef.h`, and no header of TFLite-Micro.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn_export.export_index import ExportedFile, record_c_source
from edgecnn_export.formats import ALL_INTEGER
from edgecnn_export.micro.bare_network import bare_network
from edgecnn_export.micro.operators import resolver_methods
from edgecnn_export.proof.inference import infer_in_subprocess
from edgecnn_export.tflite.flatbuffer import operator_names, unpack
from edgecnn_runtime.backends.stored_tensors import pixel_values
from edgecnn_runtime.errors import GateError, ModelError
from edgecnn_runtime.golden import golden_images
from edgecnn_runtime.manifest import TFLITE_FILE, Colour, Manifest
from edgecnn_runtime.model_files.tflite_file import read_associated_file
from edgecnn_runtime.system import atomic_files

_C_TYPE = {
    schema.TensorType.UINT8: "uint8_t",
    schema.TensorType.INT8: "int8_t",
    schema.TensorType.INT16: "int16_t",
    schema.TensorType.FLOAT32: "float",
}
_DTYPE = {"uint8_t": np.uint8, "int8_t": np.int8, "int16_t": np.int16}


@dataclass(frozen=True)
class CSource:
    """The two files, and what they need on the device."""

    model: Path  # the TFLite file they were made of
    header: Path
    source: Path
    flash_bytes: int  # of the array
    arena_bytes: int | None  # of RAM; None where it was not measured
    operators: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return the entry `c_source` of `export.json`."""
        return {
            "of": self.model.name,
            "files": [self.header.name, self.source.name],
            "flash_bytes": self.flash_bytes,
            "arena_bytes": self.arena_bytes,
            "operators": list(self.operators),
        }


def export_c_source(files: Iterable[ExportedFile]) -> CSource | None:
    """Write the C++ source of the all-integer TFLite file among those that were exported just now.

    Returns:
        What was written; None where there is no such file or it was not kept.

    Raises:
        GateError, ModelError: as `write_c_source`.
    """
    for file in files:
        if file.format == ALL_INTEGER and file.failure is None:
            c_source = write_c_source(file.path)
            record_c_source(file.path.parent, c_source.to_document())
            return c_source
    return None


def write_c_source(model: Path) -> CSource:
    """Write the C++ source of an exported all-integer TFLite file beside it, both files or none.

    The array holds the network alone (`bare_network`), which is first checked to compute the same.

    Args:
        model: a `.tflite` file with the manifest of edgecnn.

    Raises:
        GateError: TFLite-Micro does not have one of the operators or does not run the network, or the bare network
            computes something else.
        ModelError: no manifest in the file, or one without a golden check.
    """
    content = model.read_bytes()
    document = read_associated_file(content, TFLITE_FILE)
    manifest = None if document is None else Manifest.from_json(document)
    if manifest is None or manifest.golden is None:
        raise ModelError(f"{model}: expected a TFLite file with edgecnn's manifest and golden check; export it again")
    network = bare_network(content)
    probabilities = _golden_probabilities(model, network, manifest)
    identifier = c_identifier(manifest.name)
    header, source = (model.with_name(f"{identifier}_model_data{suffix}") for suffix in (".h", ".cc"))
    operators = operator_names(unpack(network))
    values = {
        **_described(manifest, file=model.name, flash_bytes=len(network)),
        **_tensors(network),
        **_golden(probabilities, tolerance=manifest.golden.tolerance),
        "namespace": f"{identifier}_model",
        "guard": f"{identifier.upper()}_MODEL_DATA_H_",
        "header": header.name,
        "labels": "\n".join(_label(label) for label in manifest.labels),
        "operator_count": str(len(operators)),
        "add_operators": " &&\n         ".join(f"resolver.{name}() == 0" for name in resolver_methods(operators)),
        "data_size": str(len(network)),
        "data": _bytes(network),
    }
    with atomic_files.atomic_write(header) as header_draft, atomic_files.atomic_write(source) as source_draft:
        header_draft.write_text(_template("c_model_data.h.template").substitute(values), encoding="utf-8")
        source_draft.write_text(_template("c_model_data.cc.template").substitute(values), encoding="utf-8")
    return CSource(model, header, source, len(network), manifest.arena_bytes, operators)


def c_identifier(name: str) -> str:
    """Turn the name of a run into a C identifier, which `_model` or `_model_data` may follow.

    >>> [c_identifier(name) for name in ("mnist", "casting-mobilenetv2", "2 digits", "数字")]
    ['mnist', 'casting_mobilenetv2', 'network_2_digits', 'network']
    """
    words = re.sub("[^0-9A-Za-z]+", "_", name).strip("_")
    return words if re.match("[A-Za-z]", words) else f"network_{words}".strip("_")


def c_string(text: str) -> str:
    r"""Write text as a C string literal in ASCII that every compiler reads as the same UTF-8.

    Octal escapes end after three digits, where hexadecimal ones would swallow a digit that follows; a question mark is
    escaped because two of them begin a trigraph.

    >>> print(c_string('a "b"? 一'))
    "a \"b\"\? \344\270\200"
    """
    plain = {ord(character): f"\\{character}" for character in '"\\?'}
    return (
        '"'
        + "".join(plain.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in text.encode())
        + '"'
    )


def _golden_probabilities(model: Path, network: bytes, manifest: Manifest) -> NDArray[np.float32]:
    """Return what the kernels of TFLite-Micro give for the golden images, `(images, classes)`.

    Raises:
        GateError: these kernels do not run it, or the bare network gives something else than the whole file.
    """
    images = golden_images(manifest.input)
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        draft = Path(folder) / "bare.tflite"
        draft.write_bytes(network)
        try:
            expected, found = (infer_in_subprocess(path, images, reference=True) for path in (model, draft))
        except ModelError as error:
            # XNNPACK runs networks with scales so small that an integer multiplier cannot hold their ratio.
            raise GateError(
                f"c-source: expected a network that TFLite's reference kernels run, since TFLite-Micro's are the same; "
                f"got {error}"
            ) from error
    if not np.array_equal(found, expected):
        raise GateError(
            f"c-source: expected the probabilities of {model.name} from its network alone, got others "
            f"(difference {float(np.abs(found - expected).max()):g})"
        )
    return found


def _described(manifest: Manifest, *, file: str, flash_bytes: int) -> dict[str, str]:
    spec = manifest.input
    facts = [f"{len(manifest.labels)} classes, all-integer int8, {flash_bytes:,} bytes of flash."]
    if manifest.accuracy is not None and manifest.accuracy_keras is not None:
        facts.append(
            f"Right on {100 * manifest.accuracy.value:.2f} % of {manifest.accuracy.total:,} test images "
            f"(the Keras model: {100 * manifest.accuracy_keras.value:.2f} %)."
        )
    if manifest.arena_bytes is None:
        installed = "tflite-micro" in manifest.versions
        reason = "tflite-micro did not run it" if installed else "'pip install tflite-micro' and export again"
        arena = [f"// Not measured: {reason}, or ask the device:", "// MicroInterpreter::arena_used_bytes()."]
    else:
        arena = [
            f"// Measured with tflite-micro {manifest.versions.get('tflite-micro', '')} on a 64-bit machine.",
            "// On a 32-bit one the reference kernels need less; others, like CMSIS-NN's, may want scratch on top.",
            f"constexpr size_t kArenaSize = {manifest.arena_bytes};",
        ]
    return {
        "title": f"{_comment(manifest.name)}: image classifier for TFLite-Micro",
        "version": manifest.versions.get("edgecnn", ""),
        "file": _comment(file),
        "facts": "\n// ".join(facts),
        "arena": "\n".join(arena),
        "colour": "RGB" if spec.colour is Colour.RGB else "grey",
        "height": str(spec.height),
        "width": str(spec.width),
        "channels": str(spec.channels),
        "input_size": str(spec.height * spec.width * spec.channels),
        "classes": str(len(manifest.labels)),
    }


def _tensors(network: bytes) -> dict[str, str]:
    """Describe the input and the output tensor."""
    graph = unpack(network).subgraphs[0]
    input_type, input_scale, input_zero_point = _tensor(graph.tensors[graph.inputs[0]])
    output_type, output_scale, output_zero_point = _tensor(graph.tensors[graph.outputs[0]])
    from_pixel, table = _from_pixel(pixel_values(_DTYPE[input_type], input_scale, input_zero_point))
    return {
        "input_type": input_type,
        "input_scale": _float(input_scale),
        "input_zero_point": str(input_zero_point),
        "from_pixel": from_pixel,
        "pixel_table": table,
        "output_type": output_type,
        "output_scale": _float(output_scale),
        "output_zero_point": str(output_zero_point),
        "probability": "value" if output_type == "float" else "kOutputScale * (value - kOutputZeroPoint)",
    }


def _tensor(tensor: Any) -> tuple[str, float, int]:
    """Return the C type, the scale and the zero point; a float tensor has scale 1."""
    if tensor.type == schema.TensorType.FLOAT32:
        return "float", 1.0, 0
    return _C_TYPE[tensor.type], float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _from_pixel(values: NDArray[Any]) -> tuple[str, str]:
    """Return the function from a pixel to the input, and the table it needs, if any, for the source file."""
    pixels = np.arange(256)
    if np.array_equal(values, pixels):
        return "inline Input FromPixel(uint8_t pixel) { return pixel; }", ""
    if np.array_equal(values, pixels - 128):
        return "inline Input FromPixel(uint8_t pixel) { return static_cast<Input>(pixel - 128); }", ""
    return (
        "extern const Input kFromPixel[256];\ninline Input FromPixel(uint8_t pixel) { return kFromPixel[pixel]; }",
        f"const Input kFromPixel[256] = {{\n{_lines([str(value) for value in values])}\n}};\n\n",
    )


def _golden(probabilities: NDArray[np.float32], *, tolerance: float) -> dict[str, str]:
    rows = [_lines([_float(value) for value in row]) for row in probabilities]
    return {
        "golden_images": str(len(rows)),
        "golden": "\n".join(f"    {{\n{row}\n    }}," for row in rows),
        "golden_tolerance": _float(tolerance),
    }


def _label(label: str) -> str:
    """Write a label as an element of the array, with a comment to read it by where it is not ASCII."""
    literal = f"    {c_string(label)},"
    return literal if label.isascii() else f"{literal}  // {_comment(label)}"


def _comment(text: str) -> str:
    """Make text fit for a `//` comment: no line break, no control character, no backslash, which would join lines."""
    return "".join(character if character.isprintable() and character not in "\\?" else "_" for character in text)


def _float(value: float) -> str:
    return f"{np.float32(value)!s}f"


def _bytes(content: bytes) -> str:
    """Write bytes as the elements of an array; string operations, since a network has millions of them."""
    rows = (content[start : start + 16].hex(",") for start in range(0, len(content), 16))
    return "\n".join(f"    0x{row.replace(',', ', 0x')}," for row in rows)


def _lines(elements: Sequence[str]) -> str:
    return "\n".join(f"        {', '.join(elements[start : start + 8])}," for start in range(0, len(elements), 8))


def _template(name: str) -> Template:
    return Template((resources.files("edgecnn_export.micro") / name).read_text(encoding="utf-8"))
