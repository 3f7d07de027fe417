"""tract, an engine in Rust."""

import numpy as np
import tract
from adapter import decode, serve


def open_model(path, shape):
    """Open a file."""
    model = tract.onnx().load(path)
    model.set_input_fact(0, f"1,{','.join(map(str, shape))},f32")
    runnable = model.into_model().into_runnable()

    def classify(image):
        return decode(runnable.run([image.astype(np.float32)[None]])[0].to_numpy())

    return classify


if __name__ == "__main__":
    serve(open_model)
