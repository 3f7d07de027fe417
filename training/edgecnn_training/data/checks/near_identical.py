"""Near-identical images: copies in another compression or size, mirrored and rotated by quarter turns too.

Two stages. A perceptual hash of 64 bits finds the candidates: the signs of the lowest frequencies of the image's
cosine transform against their median (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010, the DCT hash). At most 5 bits differ, N. Krawetz's bound for "a few things may be different, but they are
probably still close enough to be similar" (Looks Like It, 2011). Images that all show the same kind of thing collide
in so few bits, so the second stage compares the candidates themselves: the correlation of their grey thumbnails,
aligned, must reach 0.98.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64

# Most candidates are sorted out on thumbnails of a sixteenth of the pixels. Details only lower a correlation, so that
# a bound so much lower loses none: with and without it, the same pairs are found in casting and signs.
_COARSE_MARGIN = 0.03

# Rows and columns of the table of distances that are computed at a time: it stays in the processor's cache.
_BLOCK = 512
# Pairs compared at a time.
_PAIRS = 4096

# The eight ways in which a square can lie, by number: 4 swaps the axes, then 2 flips top to bottom, then 1
# mirrors left to right.
_ORIENTATIONS = (
    "as it is",
    "mirrored",
    "flipped",
    "rotated by 180°",
    "transposed",
    "rotated by 90°",
    "rotated by 270°",
    "mirrored along the other diagonal",
)


@dataclass(frozen=True)
class Bounds:
    """How much two images may differ."""

    distance: int = 5  # bits of the hash, at most
    correlation: float = 0.98  # of the thumbnails, at least


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of which one is nearly the other."""

    first: int  # positions, first < second
    second: int
    orientation: str  # how the second has to be turned to lie as the first
    correlation: float


def near_identical(
    thumbnails: NDArray[np.uint8],
    *,
    bounds: Bounds | None = None,
    apart: int | None = None,
    once_per: NDArray[np.int64] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> list[Pair]:
    """Find the pairs of near-identical images. The work grows with the square of their number: 70,000 take a minute.

    So may the number of pairs: 5,000 frames of one scene make 12 million. `once_per` asks for one per image.

    Args:
        thumbnails: `(N, side, side)`, grey, the side a multiple of 4.
        bounds: how much they may differ; default `Bounds()`.
        apart: only pairs of one of the first `apart` images and one of the others; None for all pairs.
        once_per: the number of a group for each image, `(N,)`, 0 and up: of the pairs that an image makes with earlier
            ones of a group, only the first; None for all pairs.
        report: called now and then with the images compared so far, and their number.
    """
    hashes = [_hashes(thumbnails, orientation) for orientation in range(len(_ORIENTATIONS))]
    bounds = bounds or Bounds()
    coarse = _coarse(thumbnails)
    best: dict[tuple[int, int], Pair] = {}
    groups = np.zeros(len(thumbnails), np.int64) if once_per is None else once_per
    # By group and image, whether a pair is known and no other is asked for.
    known = np.zeros((groups.max(initial=0) + 1, len(thumbnails)), bool)
    for done, candidates in _candidates(hashes, bounds, apart):
        for chunk in _by_first(candidates):
            asked = chunk[~known[groups[chunk[:, 0]], chunk[:, 1]]]
            found: dict[tuple[int, int], Pair] = {}
            for start in range(0, len(asked), _PAIRS):
                for pair in _confirmed(thumbnails, coarse, asked[start : start + _PAIRS], bounds):
                    other = found.get((pair.first, pair.second))
                    # A symmetric image resembles its copy in several ways.
                    if other is None or pair.correlation > other.correlation:
                        found[pair.first, pair.second] = pair
            for first, second in sorted(found):
                if not known[groups[first], second]:
                    best[first, second] = found[first, second]
                    known[groups[first], second] = once_per is not None
        if report:
            report(done, len(thumbnails))
    return [best[key] for key in sorted(best)]


def _by_first(candidates: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield some candidates at a time in the order of their first image, all with the same one together."""
    candidates = candidates[np.argsort(candidates[:, 0], kind="stable")]
    start = 0
    while start < len(candidates):
        last = candidates[min(start + _PAIRS, len(candidates)) - 1, 0]
        end = int(np.searchsorted(candidates[:, 0], last, side="right"))
        yield candidates[start:end]
        start = end


def _hashes(thumbnails: NDArray[np.uint8], orientation: int) -> NDArray[np.float32]:
    """Return the hash of each image as it lies in one orientation: `(N, 64)`, each bit as -1 or 1."""
    side = thumbnails.shape[1]
    frequencies, positions = np.arange(8)[:, np.newaxis], np.arange(side)
    cosines = np.cos(np.pi * (2 * positions + 1) * frequencies / (2 * side)).astype(np.float32)
    hashes = np.empty((len(thumbnails), HASH_BITS), np.float32)
    for start in range(0, len(thumbnails), _PAIRS):
        block = _oriented(thumbnails[start : start + _PAIRS], orientation).astype(np.float32)
        coefficients = (cosines @ block @ cosines.T).reshape(len(block), HASH_BITS)
        # The first, the mean brightness, says nothing about what is seen; being the largest, it is above any median.
        median = np.median(coefficients, axis=1, keepdims=True)
        hashes[start : start + len(block)] = np.where(coefficients > median, 1, -1)
    return hashes


def _candidates(
    hashes: list[NDArray[np.float32]], bounds: Bounds, apart: int | None
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield how many images are compared, and of these the pairs of few differing bits: (first, second, orientation).

    The product of two hashes of -1 and 1 is 64 less twice the bits that differ, and BLAS knows no faster thing to do.
    """
    bound = HASH_BITS - 2 * bounds.distance
    count = len(hashes[0])
    products = np.empty(_BLOCK * _BLOCK, np.float32)
    for start in range(0, count, _BLOCK):
        rows = hashes[0][start : start + _BLOCK]
        found = []
        for orientation, turned in enumerate(hashes):
            for column in range(start, count, _BLOCK):
                columns = turned[column : column + _BLOCK]
                table = products[: len(rows) * len(columns)].reshape(len(rows), len(columns))
                np.matmul(rows, columns.T, out=table)
                places = np.flatnonzero(table >= bound)
                first, second = start + places // len(columns), column + places % len(columns)
                asked = second > first if apart is None else (first < apart) & (second >= apart)
                found.append(np.stack([first[asked], second[asked], np.full(int(asked.sum()), orientation)], axis=1))
        yield min(start + _BLOCK, count), np.concatenate(found)


def _confirmed(
    thumbnails: NDArray[np.uint8], coarse: NDArray[np.uint8], candidates: NDArray[np.int64], bounds: Bounds
) -> Iterator[Pair]:
    """Yield the candidates whose thumbnails correlate."""
    for orientation in np.unique(candidates[:, 2]).tolist():
        pairs = candidates[candidates[:, 2] == orientation, :2]
        pairs = pairs[_correlations(coarse, pairs, orientation) >= bounds.correlation - _COARSE_MARGIN]
        correlations = _correlations(thumbnails, pairs, orientation)
        for position in np.flatnonzero(correlations >= bounds.correlation).tolist():
            first, second = pairs[position].tolist()
            yield Pair(first, second, _ORIENTATIONS[orientation], float(correlations[position]))


def _correlations(images: NDArray[np.uint8], pairs: NDArray[np.int64], orientation: int) -> NDArray[np.float32]:
    """Return the correlation of each pair, the second turned: `(P,)`, -1…1."""
    first, second = images[pairs[:, 0]], _oriented(images[pairs[:, 1]], orientation)
    product: NDArray[np.float32] = np.einsum("nij,nij->n", _standardised(first), _standardised(second))
    return product


def _coarse(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return thumbnails of a quarter of the side, as means of 4x4 pixels."""
    count, side, _ = thumbnails.shape
    coarse = np.empty((count, side // 4, side // 4), np.uint8)
    for start in range(0, count, _PAIRS):
        block = thumbnails[start : start + _PAIRS].reshape(-1, side // 4, 4, side // 4, 4)
        coarse[start : start + _PAIRS] = block.mean(axis=(2, 4), dtype=np.float32)
    return coarse


def _oriented(images: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation & 4:
        images = images.transpose(0, 2, 1)
    if orientation & 2:
        images = images[:, ::-1]
    if orientation & 1:
        images = images[:, :, ::-1]
    return images


def _standardised(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images of mean 0 and norm 1, so that their product is the correlation; blank ones correlate with none."""
    values = images.astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt(np.einsum("nij,nij->n", values, values))
    values /= np.maximum(norms, 1e-6)[:, np.newaxis, np.newaxis]
    return values
