"""What a reader hands to `prepare`: the images of one split as their source holds them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.preprocess import ImageSource


@dataclass(frozen=True)
class SourceSplit:
    """One split before pre-processing; `images`, `labels` and `files` are of the same length and order."""

    # Read once, in order; an iterable, because a source may be larger than memory.
    images: Iterable[ImageSource]
    labels: NDArray[np.int64]
    files: Sequence[str]


# By the name of the split: `train`, `test`, …
Source: TypeAlias = Mapping[str, SourceSplit]
