"""Which images of a prepared set are also among those it is trained on: a score on them flatters a model."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_training.data.checks.examine import THUMBNAIL
from edgecnn_training.data.checks.near_identical import near_identical
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.readers.split_names import TRAIN

# Sets of more images are searched for identical ones only while they are prepared: that costs nothing, but the other
# search grows with the square of their number, and is what `edgecnn data check` is for.
_COMPARED = 2_000


def copies_of_train(splits: Mapping[str, Split], digests: Mapping[str, Sequence[bytes]]) -> dict[str, tuple[int, ...]]:
    """Find the images that are identical to a training image or, in sets of at most 2,000 images, nearly so.

    Args:
        splits: of the set.
        digests: by split, a digest of each image's pixels.

    Returns:
        By split other than `train`, their positions, ascending; splits without any are left out.
    """
    known = set(digests.get(TRAIN, ()))
    others = [name for name in splits if name != TRAIN]
    found = {name: {place for place, digest in enumerate(digests[name]) if digest in known} for name in others}
    if TRAIN in splits and sum(map(len, splits.values())) <= _COMPARED:
        for name in others:
            count = len(splits[TRAIN])
            thumbnails = np.concatenate([_thumbnails(splits[TRAIN]), _thumbnails(splits[name])])
            once = np.zeros(len(thumbnails), np.int64)
            found[name] |= {pair.second - count for pair in near_identical(thumbnails, apart=count, once_per=once)}
    return {name: tuple(sorted(places)) for name, places in found.items() if places}


def _thumbnails(split: Split) -> NDArray[np.uint8]:
    """Return grey thumbnails `(N, 64, 64)`."""
    thumbnails = np.empty((len(split), *THUMBNAIL.shape), np.uint8)
    for position, pixels in enumerate(map_images(lambda image: read_image(image, THUMBNAIL), split.images)):
        thumbnails[position] = pixels
    return thumbnails[..., 0]
