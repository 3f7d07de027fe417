"""Full-integer TFLite that takes int8, for interpreters and NPUs that take no uint8."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tiny_classifier import RGB_16, tiny_classifier

from edgecnn_runtime import Classifier
from edgecnn_runtime.backends.stored_tensors import pixel_values


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same network with uint8 and with int8 input."""
    folder = tmp_path_factory.mktemp("signed")
    return tiny_classifier(folder / "unsigned.tflite"), tiny_classifier(folder / "signed.tflite", signed=True)


def test_int8_pixels_are_the_cameras_minus_128(files: tuple[Path, Path]) -> None:
    interpreter = Interpreter(str(files[1]))
    (pixels,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (pixels["dtype"], pixels["quantization"]) == (np.int8, (1.0, -128))
    assert probabilities["dtype"] is not np.uint8
    # Nothing has to turn uint8 into int8 first.
    assert interpreter._get_ops_details()[0]["op_name"] == "CONV_2D"


def test_the_runtime_reads_both_alike(files: tuple[Path, Path]) -> None:
    unsigned, signed = map(Classifier.open, files)
    pixels = np.random.default_rng(0).integers(0, 256, (20, *RGB_16.shape), np.uint8)
    pixels[0], pixels[1] = 0, 255
    np.testing.assert_allclose(signed.predict_proba(pixels), unsigned.predict_proba(pixels), atol=0.03)
    assert signed.verify().passed


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        (np.uint8, 1.0, 0, np.arange(256)),
        (np.int8, 1.0, -128, np.arange(-128, 128)),
        # A third-party model whose pixels reach no further than half of the range, and one that clips them.
        (np.uint8, 2.0, 0, np.round(np.arange(256) / 2)),
        (np.int8, 0.5, -128, np.minimum(2 * np.arange(256) - 128, 127)),
    ],
)
def test_pixel_values_follow_the_tensors_quantization(
    dtype: type, scale: float, zero_point: int, expected: np.ndarray
) -> None:
    values = pixel_values(dtype, scale, zero_point)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, expected)
