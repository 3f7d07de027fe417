import numpy as np
import pytest

from edgecnn_runtime.workstation.stratify import stratified_sample


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ([10, 10], 4, [2, 2]),
        ([30, 10], 4, [3, 1]),
        ([5, 5, 5], 4, [2, 1, 1]),  # equal remainders: the lower class first
        ([100, 1], 10, [10, 0]),
        ([3, 3], 0, [0, 0]),
        ([3, 3], 6, [3, 3]),
    ],
)
def test_every_class_has_its_share(sizes: list[int], count: int, expected: list[int]) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    chosen = stratified_sample(labels, count, seed=3)
    assert np.bincount(labels[chosen], minlength=len(sizes)).tolist() == expected
    assert len(set(chosen.tolist())) == count
    assert (np.diff(chosen) > 0).all()


def test_the_seed_decides_and_nothing_else() -> None:
    labels = np.repeat(np.arange(10), 50)
    first = stratified_sample(labels, 100, seed=7)
    assert first.tolist() == stratified_sample(labels, 100, seed=7).tolist()
    assert first.tolist() != stratified_sample(labels, 100, seed=8).tolist()
    # Golden: a numpy release that shuffles otherwise would change every validation split; it must not go unseen.
    assert first[:6].tolist() == [0, 6, 10, 12, 20, 24]


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 0…2 images, got 3"):
        stratified_sample(np.array([0, 1]), 3, seed=0)
