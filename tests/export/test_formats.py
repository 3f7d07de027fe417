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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"int8": True}, ["tflite-float32", "tflite-int8-signed", "onnx-float32", "onnx-int8"]),
        ({"names": ("tflite-int8",)}, ["tflite-int8-signed"]),
        ({"names": ("onnx-int8",), "c_source": True}, ["tflite-int8-signed", "onnx-int8"]),
        ({"int8": True, "c_source": True}, ["tflite-float32", "tflite-int8-signed", "onnx-float32", "onnx-int8"]),
    ],
)
def test_io_int8_takes_the_place_of_the_uint8_file(options: dict[str, object], expected: list[str]) -> None:
    assert [fmt.name for fmt in choose_formats(io="int8", **options)] == expected  # type: ignore[arg-type]


def test_c_source_brings_the_file_that_it_is_made_of() -> None:
    beside = [fmt.name for fmt in choose_formats(("tflite-int8",), c_source=True)]
    assert beside == ["tflite-int8", "tflite-int8-signed"]
    alone = [fmt.name for fmt in choose_formats(c_source=True)]
    assert alone == ["tflite-float32", "tflite-int8-signed", "onnx-float32"]


def test_io_edgetpu_takes_the_place_of_the_uint8_file() -> None:
    assert [fmt.name for fmt in choose_formats(("tflite-int8",), io="edgetpu")] == ["tflite-int8-edgetpu"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"io": "int4", "int8": True}, "io: expected one of uint8, int8, edgetpu, got 'int4'"),
        ({"io": "edgetpu", "c_source": True}, "which is not asked for; add --int8"),
        ({"io": "int8"}, "which is not asked for; add --int8"),
        ({"io": "int8", "names": ("onnx-int8",)}, "which is not asked for; add --int8"),
    ],
)
def test_an_io_that_goes_with_no_file_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_formats(**options)  # type: ignore[arg-type]


def test_an_unknown_format_is_named_beside_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"expected one of tflite-float32, .*, got 'tflite-int4'"):
        choose_formats(("tflite-int4",))
