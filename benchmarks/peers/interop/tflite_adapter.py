"""TFLite's interpreter, by whichever of its three names this environment has."""

from adapter import decode, encode, serve

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    try:
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        import tensorflow

        Interpreter = tensorflow.lite.Interpreter


def open_model(path, shape):
    """Open a file on one thread, with the kernels that are the default."""
    del shape
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def classify(image):
        interpreter.set_tensor(source["index"], encode(image, source["dtype"], *source["quantization"])[None])
        interpreter.invoke()
        return decode(interpreter.get_tensor(result["index"]), *result["quantization"])

    return classify


if __name__ == "__main__":
    serve(open_model)
