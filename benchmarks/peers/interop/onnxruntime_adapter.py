"""ONNX Runtime on the CPU."""

import numpy as np
import onnxruntime
from adapter import decode, encode, serve


def open_model(path, shape):
    """Open a file on one thread."""
    del shape
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    dtype = {"tensor(uint8)": np.uint8, "tensor(int8)": np.int8, "tensor(float16)": np.float16}.get(
        source.type, np.float32
    )

    def classify(image):
        return decode(session.run(None, {source.name: encode(image, dtype)[None]})[0])

    return classify


if __name__ == "__main__":
    serve(open_model)
