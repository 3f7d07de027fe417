import numpy as np
import pytest

from edgecnn_export.calibration import choose_calibration
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.image_set import ImageSet, Split
from edgecnn_runtime.manifest import Colour, InputSpec


@pytest.fixture
def image_set() -> ImageSet:
    """Thirty training images with pixel values below 100 (ten of class 1), five test images above."""
    train = Split(np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1), np.repeat([0, 1], [20, 10]), ("",) * 30)
    test = Split(np.arange(200, 205, dtype=np.uint8).reshape(5, 1, 1, 1), np.zeros(5, np.int64), ("",) * 5)
    return ImageSet("s", ("a", "b"), InputSpec(1, 1, Colour.GREY), {"train": train, "test": test}, "f", "here")


def test_calibration_is_stratified_and_comes_from_training_images_only(image_set: ImageSet) -> None:
    images, record = choose_calibration(image_set, images=9, seed=0)
    assert images.shape == (9, 1, 1, 1)
    assert images.dtype == np.uint8
    assert (images < 100).all()
    assert np.count_nonzero(images >= 20) == 3  # a third of the classes, a third of the images
    assert (record.images, record.seed) == (9, 0)


def test_a_small_set_is_calibrated_on_all_its_training_images(image_set: ImageSet) -> None:
    images, record = choose_calibration(image_set, images=None, seed=0)
    assert len(images) == record.images == 30


def test_the_fingerprint_is_that_of_the_chosen_pixels(image_set: ImageSet) -> None:
    _, first = choose_calibration(image_set, images=9, seed=0)
    _, again = choose_calibration(image_set, images=9, seed=0)
    _, other = choose_calibration(image_set, images=9, seed=1)
    assert first == again
    assert first.fingerprint != other.fingerprint


@pytest.mark.parametrize("images", [0, -1, 31])
def test_a_count_that_cannot_be_had_is_refused(image_set: ImageSet, images: int) -> None:
    with pytest.raises(DataError, match=rf"1…30 images expected .*, got {images}"):
        choose_calibration(image_set, images=images, seed=0)
