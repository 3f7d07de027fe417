"""Batches of a memory-mapped image set, in an order that a resumed run repeats."""

from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray


class Labelled(Protocol):
    """A split, or what a frozen base has made of one."""

    @property
    def images(self) -> NDArray[Any]:
        """`(N, …)`, one row per image."""
        ...

    @property
    def labels(self) -> NDArray[Any]:
        """`(N,)`, the class numbers, or what is learnt beside them (`distillation.targets`), one row per image."""
        ...


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Some of the images of a split, in batches; only the images of the batch asked for are read from disk.

    With `shuffle_seed` the order of an epoch is a permutation of `(shuffle_seed, epoch)` and of nothing else, so a
    run that resumes at epoch 7 sees what an uninterrupted one sees.
    """

    def __init__(
        self, split: Labelled, positions: NDArray[np.int64], *, batch_size: int, shuffle_seed: int | None = None
    ) -> None:
        super().__init__()
        self._split, self._positions = split, positions
        self.batch_size, self._shuffle_seed = batch_size, shuffle_seed
        self._order = positions
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Take the order of `epoch`, counted from 0."""
        if self._shuffle_seed is not None:
            # A new array, because a thread may still be reading a batch by the old one.
            self._order = np.random.default_rng((self._shuffle_seed, epoch)).permutation(self._positions)

    def __len__(self) -> int:
        return -(-len(self._positions) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read one batch: uint8 pixels `(n, height, width, channels)` or features, and class numbers int64 `(n,)`.

        The last batch of an epoch has what is left, 1…batch_size images.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.read(index, index + 1)

    def read(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Read batches start…stop - 1, or to the end of the epoch, as one."""
        chosen = self._order[start * self.batch_size : stop * self.batch_size]
        return self._split.images[chosen], self._split.labels[chosen]
