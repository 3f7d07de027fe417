"""Several splits as one; their images stay where they are until they are read."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.workstation.image_set import Split


def join_splits(splits: Sequence[Split]) -> Split:
    """Return the images of some splits, one split after the other; one split alone is returned as it is."""
    if len(splits) == 1:
        return splits[0]
    return Split(
        # It is read as an array is.
        images=cast(NDArray[np.uint8], _JoinedImages([split.images for split in splits])),
        labels=np.concatenate([split.labels for split in splits]),
        files=tuple(file for split in splits for file in split.files),
    )


class _JoinedImages:
    """As much of an array as is asked of the images of a split: its shape, some of its images, all of them."""

    def __init__(self, parts: Sequence[NDArray[np.uint8]]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return images by a number, a slice or an array of positions, as an array in memory."""
        positions = np.arange(len(self))[key]
        flat = np.atleast_1d(positions)
        images = np.empty((len(flat), *self.shape[1:]), self.dtype)
        owner = np.searchsorted(self._ends, flat, side="right")
        for number, part in enumerate(self._parts):
            here = owner == number
            images[here] = part[flat[here] - (self._ends[number] - len(part))]
        return images if positions.ndim else images[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy
        return np.asarray(self[:], dtype)
