"""What a reader hands to `prepare`: an image set as its source holds it, nothing decoded yet."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.preprocess import ImageSource
from edgecnn_training.data.finding import Finding
from edgecnn_training.data.readers.members import ZippedImages


@dataclass(frozen=True)
class SourceSplit:
    """One split before pre-processing; `images`, `labels` and `files` are of the same length and order."""

    # An iterable, because a source may be larger than memory; each pass over it reads the source again.
    images: Iterable[ImageSource]
    labels: NDArray[np.int64]  # (N,), positions in the source's labels
    files: Sequence[str]  # where each image is, for messages and `files.txt`

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, mask: NDArray[np.bool_]) -> "SourceSplit":
        """Return some of the images, by a mask `(N,)`; image files stay unread."""
        images = self.images
        return SourceSplit(
            images=images.chosen(mask) if isinstance(images, ZippedImages) else list(itertools.compress(images, mask)),
            labels=self.labels[mask],
            files=list(itertools.compress(self.files, mask)),
        )


@dataclass(frozen=True)
class RawImageSet:
    """An image set before pre-processing."""

    labels: tuple[str, ...]
    # By the name of the split: `train`, `valid`, `test`.
    splits: Mapping[str, SourceSplit]
    # What the reader left out, and why.
    findings: tuple[Finding, ...] = ()
    test_held_out: bool = False  # whether the split `test` was taken from the training images

    def __len__(self) -> int:
        return sum(len(split) for split in self.splits.values())
