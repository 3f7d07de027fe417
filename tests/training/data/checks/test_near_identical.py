"""Near-identical images: copies in every orientation and quality are found, other images are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edgecnn_training.data.checks.near_identical import near_identical

SIDE = 64


def scenes(count: int) -> np.ndarray:
    """Smooth random pictures, as different as photos of different things."""
    generator = np.random.default_rng(7)
    made = []
    for _ in range(count):
        noise = Image.fromarray(generator.integers(0, 256, (SIDE, SIDE), np.uint8))
        pixels = np.asarray(noise.filter(ImageFilter.GaussianBlur(5)), np.float32)
        made.append((255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8))
    return np.stack(made)


def as_jpeg(pixels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


# What is done to the copy, and how it then has to be turned to lie as the original.
COPIES = {
    "compressed": (as_jpeg, "as it is"),
    "halved": (lambda x: np.asarray(Image.fromarray(x).resize((32, 32)).resize((SIDE, SIDE))), "as it is"),
    "brighter": (lambda x: (x * 0.8 + 30).astype(np.uint8), "as it is"),
    "mirrored": (np.fliplr, "mirrored"),
    "flipped": (np.flipud, "flipped"),
    "half turn": (lambda x: np.rot90(x, 2), "rotated by 180°"),
    "transposed": (np.transpose, "transposed"),
    "quarter turn": (np.rot90, "rotated by 90°"),
    "three quarters": (lambda x: np.rot90(x, 3), "rotated by 270°"),
    "other diagonal": (lambda x: np.rot90(x, 2).T, "mirrored along the other diagonal"),
    "mirrored and compressed": (lambda x: as_jpeg(np.ascontiguousarray(np.fliplr(x))), "mirrored"),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_and_nothing_else(copy):
    change, orientation = COPIES[copy]
    images = scenes(40)
    (pair,) = near_identical(np.concatenate([images, change(images[11])[np.newaxis]]))
    assert (pair.first, pair.second, pair.orientation) == (11, 40, orientation)
    assert 0.98 <= pair.correlation <= 1.0001


# The reference: every pair in every orientation, by numpy's own correlation.
def test_all_pairs_across_blocks_are_those_of_the_reference():
    images = scenes(300)
    images = np.concatenate([images, images[::3], np.rot90(images[1::50], axes=(1, 2)), images[::3]])
    found = {(pair.first, pair.second) for pair in near_identical(images)}
    flat = [np.stack([np.rot90(image, turns).ravel() for image in images]) for turns in range(4)]
    centred = [(rows - rows.mean(axis=1, keepdims=True)) / (rows.std(axis=1, keepdims=True) * SIDE) for rows in flat]
    close = np.maximum.reduce([centred[0] @ turned.T for turned in centred]) >= 0.999
    assert found == {(first, second) for first, second in np.argwhere(close) if first < second}


@pytest.mark.parametrize("apart", [300, 512, 600])
def test_only_pairs_across_a_border(apart):
    images = scenes(700)
    images[650:] = images[:50]
    pairs = {(pair.first, pair.second) for pair in near_identical(images)}
    across = {(first, second) for first, second in pairs if first < apart <= second}
    assert across
    assert {(pair.first, pair.second) for pair in near_identical(images, apart=apart)} == across


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(count):
    assert near_identical(scenes(1)[:count]) == []


def test_blank_images_resemble_nothing():
    assert near_identical(np.full((3, SIDE, SIDE), 255, np.uint8)) == []


def test_progress_reaches_the_end():
    seen = []
    near_identical(scenes(3), report=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]


def test_of_many_copies_each_is_told_once_per_group():
    """All pairs of some hundred frames of one scene are tens of thousands, and of some thousand take all memory."""
    scene, others = scenes(31)[0], scenes(31)[1:]
    noise = np.random.default_rng(3).normal(0, 3, (200, SIDE, SIDE))
    frames = np.clip(scene + noise, 0, 255).astype(np.uint8)
    images, groups = np.concatenate([others, frames]), np.arange(230) % 3
    told = {(pair.first, pair.second) for pair in near_identical(images, once_per=groups)}
    every = {(pair.first, pair.second) for pair in near_identical(images)}
    assert len(every) == 200 * 199 / 2
    earliest = {}
    for first, second in sorted(every):
        earliest.setdefault((groups[first], second), (first, second))
    assert told == set(earliest.values())
