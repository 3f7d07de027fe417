"""What is wrong with an image set, reported when it is prepared: an accuracy measured on it may mislead."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.data.readers.split_names import TRAIN

# From this ratio on, between the largest and the smallest class of a split, always naming the largest looks good.
_UNBALANCED = 2.0
# Of more classes without images, only the number is reported.
_NAMED = 20


def inspect(
    labels: tuple[str, ...],
    *,
    numbers: Mapping[str, NDArray[np.int64]],
    digests: Mapping[str, Sequence[bytes]],
    counts: Mapping[str, int],
    copies: Mapping[str, Sequence[int]],
) -> tuple[str, ...]:
    """Return a sentence for each thing that a user of the set should know.

    Args:
        labels: the names of the classes.
        numbers: by split, the class numbers `(N,)`.
        digests: by split, a digest of each image's pixels.
        counts: by split, how many images the whole set is known to have.
        copies: by split, the positions of the images that are identical or nearly so to a training image.
    """
    warnings = []
    for split, count in counts.items():
        found = len(numbers.get(split, ()))
        if found != count:
            warnings.append(f"{split}: expected {count:,} images in the whole set, got {found:,}")
    for split in numbers:
        warnings += class_warnings(split, labels, numbers[split])
        repeated = len(digests[split]) - len(set(digests[split]))
        if repeated:
            warnings.append(f"{split}: {_images(repeated)} byte-identical to an earlier one")
    for first, second in combinations(digests, 2):
        known = set(digests[first])
        shared = sum(digest in known for digest in digests[second])
        if shared:
            warnings.append(
                f"{second}: {_images(shared)} also in {first}, byte for byte; a score on them flatters the model"
            )
    for split, positions in copies.items():
        known = set(digests[TRAIN])
        near = sum(digests[split][position] not in known for position in positions)
        if near:
            warnings.append(
                f"{split}: {_images(near)} near-identical to one in {TRAIN}; a score on them flatters the model"
            )
    return tuple(warnings)


def class_warnings(split: str, labels: tuple[str, ...], numbers: NDArray[np.int64]) -> list[str]:
    """Return a sentence if a split has no image of some class, or many more of one than of another."""
    sizes = np.bincount(numbers, minlength=len(labels))
    missing = [label for label, size in zip(labels, sizes, strict=True) if not size]
    if missing:
        if len(missing) > _NAMED:
            return [f"{split}: no image of {len(missing):,} of the {len(labels):,} classes"]
        return [f"{split}: no image of class {', '.join(missing)}"]
    largest, smallest = int(sizes.argmax()), int(sizes.argmin())
    if sizes[largest] >= _UNBALANCED * sizes[smallest]:
        return [
            f"{split}: unbalanced classes, {sizes[largest]:,} images of {labels[largest]} "
            f"and {sizes[smallest]:,} of {labels[smallest]}"
        ]
    return []


def _images(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"
