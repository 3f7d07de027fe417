"""The flipped images as small PNG files, for the report; they never leave the machine with bench.json."""

import io
from collections.abc import Sequence

import numpy as np

from edgecnn_benchmarks.measuring.answers import FileAnswers
from edgecnn_benchmarks.measuring.labelled_images import BenchImages

# Pixels of the longer side, at most.
_LONGEST = 112


def pictures_of(answers: Sequence[FileAnswers], images: BenchImages | None) -> dict[int, bytes]:
    """Return the flipped images that are listed, by their number in the test data."""
    from PIL import Image

    flipped = sorted({flip.index for file in answers if file.against for flip in file.against.flips})
    if images is None or not flipped:
        return {}
    pixels = np.load(images.path, mmap_mode="r", allow_pickle=False)
    pictures = {}
    for index in flipped:
        array = np.asarray(pixels[index])
        picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        picture.thumbnail((_LONGEST, _LONGEST))
        with io.BytesIO() as file:
            picture.save(file, format="PNG")
            pictures[index] = file.getvalue()
    return pictures
