"""Zeros and distinct values among the weights that a finished file holds, and how small the file packs."""

import dataclasses
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredWeights:
    """The kernel of one convolution or dense layer as a file holds it."""

    tensor: str
    weights: int
    zeros: int
    distinct: int
    # The most that one output channel has; a file with a scale per channel, or with folded batch norms,
    # multiplies the distinct values of a layer by its channels.
    distinct_in_channel: int


@dataclass(frozen=True)
class Packed:
    """What became of the weights in one file."""

    gzip_bytes: int
    kernels: tuple[StoredWeights, ...]

    @property
    def sparsity(self) -> float:
        """The share of zeros among all weights of all kernels, 0…1."""
        return sum(kernel.zeros for kernel in self.kernels) / max(1, sum(kernel.weights for kernel in self.kernels))

    @property
    def distinct_in_channel(self) -> int:
        """The most distinct weights that any output channel has."""
        return max((kernel.distinct_in_channel for kernel in self.kernels), default=0)

    def to_document(self) -> dict[str, Any]:
        """Return what `export.json` says of it."""
        return {
            "gzip_bytes": self.gzip_bytes,
            "sparsity": round(self.sparsity, 4),
            "kernels": [dataclasses.asdict(kernel) for kernel in self.kernels],
        }


def packed(content: bytes, kernels: Iterable[tuple[str, NDArray[Any]]]) -> Packed:
    """Count in the kernels of a finished file, and compress it.

    Args:
        content: of the file.
        kernels: names and values, output channels first.
    """
    return Packed(len(gzip.compress(content, 9)), tuple(_count(name, values) for name, values in kernels))


def _count(name: str, values: NDArray[Any]) -> StoredWeights:
    channels = values.reshape(len(values), -1)
    return StoredWeights(
        tensor=name,
        weights=values.size,
        zeros=int(np.count_nonzero(values == 0)),
        distinct=len(np.unique(values)),
        distinct_in_channel=max(len(np.unique(channel)) for channel in channels),
    )
