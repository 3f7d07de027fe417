"""TFLite Micro's Python interpreter."""

from pathlib import Path

from adapter import decode, encode, serve
from tflite_micro import runtime

ARENA = 2**28  # bytes; what is not used is never touched


def open_model(path, shape):
    """Open a file."""
    del shape
    interpreter = runtime.Interpreter.from_bytes(Path(path).read_bytes(), arena_size=ARENA)
    source, result = interpreter.get_input_details(0), interpreter.get_output_details(0)

    def classify(image):
        interpreter.set_input(encode(image, source["dtype"], *_quantization(source))[None], 0)
        interpreter.invoke()
        return decode(interpreter.get_output(0), *_quantization(result))

    return classify


def _quantization(details):
    parameters = details["quantization_parameters"]
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    return (float(scales[0]), int(zero_points[0])) if len(scales) else (0.0, 0)


if __name__ == "__main__":
    serve(open_model)
