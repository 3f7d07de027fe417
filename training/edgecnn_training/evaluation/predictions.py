"""What a classifier took each image for, as a table with the names of the files."""

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.system.atomic_files import write_text
from edgecnn_runtime.workstation.division import Portion


def write_predictions(path: Path, images: Portion, probabilities: NDArray[np.float32], labels: tuple[str, ...]) -> None:
    """Write one row per image as CSV, atomically: where it came from, what it is, what it was taken for, how surely.

    Args:
        path: of the CSV file.
        images: N images.
        probabilities: `(N, classes)`, 0…1, what the classifier gave for them, in their order.
        labels: the names of the classes.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", "true", "predicted", "probability"))
    predicted = probabilities.argmax(axis=1)
    for name, true, row, values in zip(images.files, images.labels, predicted, probabilities, strict=True):
        table.writerow((name, labels[true], labels[row], f"{values[row]:.6f}"))
    write_text(path, text.getvalue())
