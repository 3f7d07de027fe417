"""The features of a split: what a frozen base makes of its images, computed once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.batches import Labelled


@dataclass(frozen=True)
class Features:
    """Labelled features, in the order of the split they come from."""

    images: NDArray[np.float32]  # (N, n), one row an image
    labels: NDArray[np.int64]  # (N,)


def compute_features(extractor: Any, split: Labelled, *, batch_size: int) -> Features:
    """Send each image of a split through a frozen base.

    Args:
        extractor: pixels 0…255 to features `(N, n)`.
        split: the images, usually memory-mapped; a batch of them is read at a time.
        batch_size: images at once; the features do not depend on it.
    """
    rows: NDArray[np.float32] = np.empty((len(split.labels), extractor.output_shape[-1]), np.float32)
    for start in range(0, len(rows), batch_size):
        images = np.asarray(split.images[start : start + batch_size])
        rows[start : start + len(images)] = extractor.predict_on_batch(images)
    return Features(rows, split.labels)
