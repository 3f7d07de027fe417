"""MediaPipe's image classifier, given nothing but the file."""

import mediapipe
import numpy as np
from adapter import serve
from mediapipe.tasks.python import vision


def open_model(path, shape):
    """Open a file; MediaPipe chooses its threads itself."""
    classifier = vision.ImageClassifier.create_from_model_path(path)
    if shape[2] != 3:
        raise ValueError("its image classifier takes images of three channels")

    def classify(image):
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        (found,) = classifier.classify(picture).classifications
        row = np.zeros(len(found.categories), np.float32)
        for category in found.categories:
            row[category.index] = category.score
        return row

    return classify


if __name__ == "__main__":
    serve(open_model)
