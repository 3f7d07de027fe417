"""The features of images: what a frozen base makes of them, computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.batches import Labelled
from edgecnn_training.devices.devices import inference

# Called with the images done, those of all splits, and the name of the split.
FeatureReport: TypeAlias = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Features:
    """Labelled features, in the order of the split they come from."""

    images: NDArray[np.float32]  # (N, n), one row per image
    labels: NDArray[np.int64]  # (N,)


def compute_features(
    extractor: Any, splits: Mapping[str, Labelled], *, batch_size: int, report: FeatureReport | None = None
) -> dict[str, Features]:
    """Send each image of some splits through a frozen base.

    Args:
        extractor: pixels 0…255 to features `(N, n)`.
        splits: the images by the name of their split, usually memory-mapped; a batch of them is read at a time.
        batch_size: images at once; the features do not depend on it.
        report: called after each batch.
    """
    total, done = sum(len(split.labels) for split in splits.values()), 0
    forward = inference(extractor)
    computed: dict[str, Features] = {}
    for name, split in splits.items():
        rows: NDArray[np.float32] = np.empty((len(split.labels), extractor.output_shape[-1]), np.float32)
        for start in range(0, len(rows), batch_size):
            images = np.asarray(split.images[start : start + batch_size])
            rows[start : start + len(images)] = forward(images)
            done += len(images)
            if report:
                report(done, total, name)
        computed[name] = Features(rows, split.labels)
    return computed


class FeatureCache:
    """The features of splits, each computed once, though several networks on one base train on them."""

    def __init__(self, report: FeatureReport | None = None) -> None:
        """Report as `compute_features` does."""
        self._report = report
        # With the splits, so that no other is at the address of one.
        self._known: dict[int, tuple[Labelled, Features]] = {}

    def of(self, extractor: Any, splits: Mapping[str, Labelled], *, batch_size: int) -> dict[str, Features]:
        """Return the features of some splits, which `compute_features` computes where they are new."""
        new: dict[int, str] = {}
        for name, split in splits.items():
            if id(split) not in self._known:
                new.setdefault(id(split), name)
        wanted = {name: splits[name] for name in new.values()}
        computed = compute_features(extractor, wanted, batch_size=batch_size, report=self._report) if wanted else {}
        self._known |= {id(splits[name]): (splits[name], features) for name, features in computed.items()}
        return {name: self._known[id(split)][1] for name, split in splits.items()}
