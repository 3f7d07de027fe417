import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_runtime.workstation.image_set import Split
from edgecnn_training.batches import Batches
from edgecnn_training.devices.devices import feed

# Each image holds its own number, so that an order can be read off the pixels.
SPLIT = Split(
    images=np.arange(23, dtype=np.uint8).reshape(-1, 1, 1, 1),
    labels=np.arange(23, dtype=np.int64) % 3,
    files=tuple(map(str, range(23))),
)
POSITIONS = np.array([0, 2, 3, 5, 8, 13, 21])


def order(batches: Batches, epoch: int) -> list[int]:
    batches.start_epoch(epoch)
    return np.concatenate([batches[index][0] for index in range(len(batches))]).ravel().tolist()


def shuffled(seed: int = 1) -> Batches:
    return Batches(SPLIT, POSITIONS, batch_size=3, shuffle_seed=seed)


def test_an_epoch_has_each_image_once() -> None:
    assert len(shuffled()) == 3
    assert [len(shuffled()[index][1]) for index in range(3)] == [3, 3, 1]
    for epoch in range(5):
        assert sorted(order(shuffled(), epoch)) == POSITIONS.tolist()


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    first = [order(batches, epoch) for batches in [shuffled()] for epoch in range(4)]
    assert [order(shuffled(), epoch) for epoch in (3, 1, 0, 2)] == [first[epoch] for epoch in (3, 1, 0, 2)]
    assert len({tuple(epoch) for epoch in first}) == 4
    assert order(shuffled(seed=2), 0) != first[0]


def test_without_a_seed_the_order_is_that_of_the_positions() -> None:
    batches = Batches(SPLIT, POSITIONS, batch_size=4)
    assert order(batches, 0) == order(batches, 1) == POSITIONS.tolist()


def test_labels_go_with_their_images() -> None:
    for index in range(3):
        images, labels = shuffled()[index]
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, images.ravel() % 3)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_batch_outside_the_epoch(index: int) -> None:
    with pytest.raises(IndexError):
        shuffled()[index]


@pytest.mark.parametrize("read_bytes", [1, 6, 2**20], ids=["a batch", "two batches", "all batches"])
def test_the_feed_gives_the_same_batches_in_the_same_order(read_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches it reads at once."""
    monkeypatch.setattr("edgecnn_training.devices.devices._READ_BYTES", read_bytes)
    batches = shuffled()
    fed = feed(batches)
    assert len(fed) == 3
    for epoch in range(2):
        expected = order(batches, epoch)
        read: list[NDArray[np.uint8]] = [images for images, _ in fed.as_numpy_iterator()]
        assert [len(images) for images in read] == [3, 3, 1]
        assert np.concatenate(read).ravel().tolist() == expected
