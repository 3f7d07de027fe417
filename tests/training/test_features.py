from typing import Any

import numpy as np
import pytest

from edgecnn_training import features
from edgecnn_training.features import Features, compute_features


class FirstPixels:
    """An extractor whose features are the first two pixels."""

    output_shape = (None, 2)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return images[:, :2]


def test_an_extractor_is_made_ready_once_for_all_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it ready freezes and optimizes the whole base, which takes seconds."""
    made: list[Any] = []
    monkeypatch.setattr(features, "inference", lambda extractor: made.append(extractor) or extractor)
    reports: list[tuple[int, int, str]] = []
    extractor, pixels = FirstPixels(), np.arange(30).reshape(10, 3)
    splits = {"train": Features(pixels[:7], np.arange(7)), "valid": Features(pixels[7:], np.arange(3))}
    computed = compute_features(extractor, splits, batch_size=4, report=lambda *told: reports.append(told))
    assert made == [extractor]
    for name, split in splits.items():
        np.testing.assert_array_equal(computed[name].images, split.images[:, :2])
        assert computed[name].labels is split.labels
    assert reports == [(4, 10, "train"), (7, 10, "train"), (10, 10, "valid")]
