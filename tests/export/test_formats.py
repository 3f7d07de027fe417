import pytest

from edgecnn_export.formats import FORMATS, choose_formats
from edgecnn_runtime.errors import InputError


@pytest.mark.parametrize(
    ("names", "int8", "every", "expected"),
    [
        ((), False, False, ["tflite-float32", "onnx-float32"]),
        ((), True, False, ["tflite-float32", "tflite-int8", "onnx-float32", "onnx-int8"]),
        (("tflite-int8",), False, False, ["tflite-int8"]),
        (("onnx-float16",), True, False, ["tflite-int8", "onnx-float16", "onnx-int8"]),
        (("tflite-int8",), False, True, list(FORMATS)),
    ],
)
def test_options_choose_formats(names: tuple[str, ...], int8: bool, every: bool, expected: list[str]) -> None:
    assert [fmt.name for fmt in choose_formats(names, int8=int8, every=every)] == expected


def test_an_unknown_format_is_named_beside_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"one of tflite-float32, .* expected, got tflite-int4"):
        choose_formats(("tflite-int4",))
