"""OpenVINO on the CPU, in the precision of the file."""

from adapter import decode, encode, serve

try:
    from openvino import Core
except ImportError:
    from openvino.runtime import Core


def open_model(path, shape):
    """Open a file on one thread; some CPUs would compute in bfloat16 by default."""
    del shape
    options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = Core().compile_model(path, "CPU", options)
    request = compiled.create_infer_request()
    dtype = compiled.input(0).get_element_type().to_dtype()

    def classify(image):
        request.infer([encode(image, dtype)[None]])
        return decode(request.get_output_tensor(0).data)

    return classify


if __name__ == "__main__":
    serve(open_model)
