"""Samples that hold every class in its proportion: for validation, test and calibration."""

import numpy as np
from numpy.typing import NDArray


def stratified_sample(labels: NDArray[np.int64], count: int, *, seed: int) -> NDArray[np.int64]:
    """Choose `count` images so that each class has its share, rounded by the largest remainder.

    The same labels, count and seed give the same images on every machine with the same numpy.

    Args:
        labels: `(N,)`, class numbers.
        count: how many to choose, 0…N.
        seed: of numpy's PCG64 generator.

    Returns:
        int64 `(count,)`, positions in `labels`, ascending.

    Raises:
        ValueError: more are asked for than there are.

    >>> labels = np.array([0] * 6 + [1] * 3)
    >>> np.bincount(labels[stratified_sample(labels, 3, seed=0)]).tolist()
    [2, 1]
    """
    if not 0 <= count <= len(labels):
        raise ValueError(f"sample: expected 0…{len(labels)} images, got {count}")
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * count / max(1, len(labels))
    counts = np.floor(shares).astype(np.int64)
    # Ties between equal remainders go to the lower class, on every machine.
    by_remainder = np.argsort(-(shares - counts), kind="stable")
    counts[by_remainder[: count - int(counts.sum())]] += 1
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:size]
        for label, size in zip(classes, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
