"""OpenCV's dnn module."""

import cv2
import numpy as np
from adapter import decode, serve

cv2.setNumThreads(1)


def open_model(path, shape):
    """Open a file; of TFLite, OpenCV turns the layout to channels first."""
    del shape
    tflite = path.endswith(".tflite")
    net = cv2.dnn.readNetFromTFLite(path) if tflite else cv2.dnn.readNetFromONNX(path)

    def classify(image):
        pixels = image.astype(np.float32)[None]
        net.setInput(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if tflite else pixels)
        return decode(net.forward())

    return classify


if __name__ == "__main__":
    serve(open_model)
