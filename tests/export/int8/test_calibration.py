import numpy as np
import pytest

from edgecnn_export.int8.calibration import choose_calibration
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import Split

EVERY = np.arange(30)


@pytest.fixture
def training() -> Portion:
    """Thirty training images, ten of them of class 1."""
    pixels = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1)
    return Portion(Split(pixels, np.repeat([0, 1], [20, 10]), ("",) * 30), EVERY)


def test_calibration_is_stratified_and_comes_from_training_images_only(training: Portion) -> None:
    chosen = choose_calibration(training, images=9, seed=0)
    images, record = chosen.images, chosen.record
    assert images.shape == (9, 1, 1, 1)
    assert images.dtype == np.uint8
    assert np.count_nonzero(images >= 20) == 3  # a third of the classes, a third of the images
    assert (record.images, record.seed) == (9, 0)


def test_a_small_set_is_calibrated_on_all_its_training_images(training: Portion) -> None:
    chosen = choose_calibration(training, images=None, seed=0)
    assert len(chosen.images) == chosen.record.images == 30


def test_the_fingerprint_is_that_of_the_chosen_pixels(training: Portion) -> None:
    first, again, other = (choose_calibration(training, images=9, seed=seed).record for seed in (0, 0, 1))
    assert first == again
    assert first.fingerprint != other.fingerprint


@pytest.mark.parametrize("images", [0, -1, 31])
def test_a_count_that_cannot_be_had_is_refused(training: Portion, images: int) -> None:
    with pytest.raises(DataError, match=rf"expected 1…30 images .*, got {images}"):
        choose_calibration(training, images=images, seed=0)


def test_images_that_were_validated_on_stay_out(training: Portion) -> None:
    trained_on = np.setdiff1d(EVERY, [3, 25])
    chosen = choose_calibration(Portion(training.split, trained_on), images=None, seed=0)
    assert chosen.record.images == 28
    assert not np.isin(chosen.images, [3, 25]).any()
