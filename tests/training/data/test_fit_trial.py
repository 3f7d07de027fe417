"""Whether labelled images show that a model was trained on images that were resized otherwise."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import Colour, InputSpec, Interpolation, Resize
from edgecnn_training.data.calibration_images import UserCalibrationImages, find_calibration_images
from edgecnn_training.data.fit_trial import better_fit

SPEC = InputSpec(16, 16, Colour.GREY)
LABELS = ("plain", "striped")


def brightest(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Take an image for striped where some pixel is white: `(N, 2)`."""
    white = (pixels.max(axis=(1, 2, 3)) > 250).astype(np.float32)
    return np.stack([1 - white, white], axis=1)


def write(folder: Path, *, count: int, width: int = 48, classes: tuple[str, ...] = LABELS) -> UserCalibrationImages:
    """Fine stripes, white and black, on half of the images; a wide image has them in its middle only."""
    for number in range(count):
        label = classes[number % len(classes)]
        pixels = np.full((48, width), 100, np.uint8)
        if label == "striped":
            middle = slice(width // 2 - 24, width // 2 + 24)
            pixels[:, middle] = np.tile(np.array([0, 255], np.uint8), (48, 24))
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / label / f"{number:03}.png")
    return find_calibration_images(folder, labels=LABELS)


def test_another_filter_that_is_clearly_better_is_named(tmp_path: Path) -> None:
    images = write(tmp_path, count=40)
    found = better_fit(images, SPEC, brightest, said=ImageFit())
    assert found is not None
    assert found.startswith("50.0 % of 40 labelled images are right")
    assert "100.0 % with --interpolation bilinear-no-antialias: add --interpolation bilinear-no-antialias" in found


@pytest.mark.parametrize(
    "said", [ImageFit(interpolation=Interpolation.BILINEAR), ImageFit(interpolation=Interpolation.AREA)]
)
def test_what_the_user_said_is_not_doubted(tmp_path: Path, said: ImageFit) -> None:
    images = write(tmp_path, count=40)
    assert better_fit(images, said.applied_to(SPEC), brightest, said=said) is None


def test_a_few_images_prove_nothing(tmp_path: Path) -> None:
    assert better_fit(write(tmp_path, count=16), SPEC, brightest, said=ImageFit()) is None


def test_what_is_right_as_it_is_needs_no_word(tmp_path: Path) -> None:
    right = InputSpec(48, 48, Colour.GREY)
    assert better_fit(write(tmp_path, count=40), right, brightest, said=ImageFit()) is None


def test_a_crop_that_is_better_is_named(tmp_path: Path) -> None:
    def middle(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Take an image for striped where most of it is no grey of 100."""
        striped = (np.abs(pixels.astype(int) - 100) > 5).mean(axis=(1, 2, 3)) > 0.9
        return np.stack([~striped, striped], axis=1).astype(np.float32)

    found = better_fit(write(tmp_path, count=40, width=144), SPEC, middle, said=ImageFit())
    assert found is not None
    assert "--resize crop" in found
    assert better_fit(write(tmp_path, count=40, width=144), SPEC, middle, said=ImageFit(resize=Resize.SQUASH)) is None


def test_images_without_labels_tell_nothing(tmp_path: Path) -> None:
    images = write(tmp_path, count=40, classes=("striped",))
    alone = find_calibration_images(tmp_path / "striped", labels=LABELS)
    assert images.labelled
    assert not alone.labelled
    assert better_fit(alone, SPEC, brightest, said=ImageFit()) is None
