"""Near-identical images: copies in every orientation and quality are found, other images are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.fft import dctn, idctn

from edgecnn_training.data.checks import near_identical as module
from edgecnn_training.data.checks.near_identical import Bounds, near_identical

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


@pytest.mark.parametrize("apart", [300, 512, 600, 650])
def test_only_pairs_across_a_border(apart):
    images = scenes(700)
    images[650:] = images[:50]
    pairs = {(pair.first, pair.second) for pair in near_identical(images)}
    across = {(first, second) for first, second in pairs if first < apart <= second}
    assert across
    assert {(pair.first, pair.second) for pair in near_identical(images, apart=apart)} == across


def dct_hash(image: np.ndarray) -> np.ndarray:
    """C. Zauner's: the signs of the lowest 8x8 frequencies against the median of all but the first."""
    lowest = dctn(image.astype(float))[:8, :8]
    return lowest.ravel() > np.median(lowest.ravel()[1:])


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_the_hash_is_zauners():
    images = scenes(20)
    for orientation, turned in ((0, images), (1, images[:, :, ::-1]), (4, images.transpose(0, 2, 1))):
        hashes = module._hashes(images, orientation)
        np.testing.assert_array_equal(hashes > 0, np.stack([dct_hash(image) for image in turned]))


@pytest.mark.parametrize("bounds", [Bounds(), Bounds(distance=8, correlation=0.9), Bounds(distance=2)])
def test_copies_are_found_up_to_the_bounds_and_not_beyond(bounds):
    """Of every pair of an image and a smoothly changed copy, whether scipy's transform and correlation say so."""
    images, other = scenes(120)[:60], scenes(120)[60:]
    shares = np.linspace(0, 0.5, 60)[:, np.newaxis, np.newaxis]
    changed = ((1 - shares) * images + shares * other).astype(np.uint8)
    found = near_identical(np.concatenate([images, changed]), bounds=bounds)
    same = {pair.first for pair in found if pair.second == pair.first + 60 and pair.orientation == "as it is"}
    expected, bits = set(), set()
    for number, (image, copy) in enumerate(zip(images, changed, strict=True)):
        differ = int((dct_hash(image) != dct_hash(copy)).sum())
        if differ <= bounds.distance and correlation(image, copy) >= bounds.correlation:
            expected.add(number)
            bits.add(differ)
    assert same == expected
    # The bound is reached: where the first bit is the same, an even number differs.
    assert max(bits) >= bounds.distance - 1


def test_fine_detail_in_common_makes_a_copy_too():
    """Without it, as on the small thumbnails that sort out most pairs, the two correlate less than 0.98."""
    scene, other = scenes(40)[[17, 37]].astype(float)
    texture = 60.0 * np.random.default_rng(3).choice([-1, 1], (SIDE, SIDE))
    copy = 0.78 * scene + 0.22 * other
    images = np.stack([(0.5 * smooth + 64 + texture).astype(np.uint8) for smooth in (scene, copy)])
    small = [image.reshape(16, 4, 16, 4).mean(axis=(1, 3)) for image in images]
    assert correlation(*small) < 0.98 <= correlation(*images)
    assert len(near_identical(images)) == 1


def test_the_orientation_in_which_it_resembles_most_is_told():
    """Of a symmetric image but for fine grain on its left, which the hash does not see."""
    frequencies = np.zeros((SIDE, SIDE))
    # The symmetric ones, all above the median.
    frequencies[:8, :8:2] = np.random.default_rng(0).uniform(1, 2, (8, 4))
    symmetric = idctn(frequencies)
    symmetric = 20 + 200 * (symmetric - symmetric.min()) / np.ptp(symmetric)
    grain = np.where(np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 2, 3, -3)
    grain[:, SIDE // 2 :] = 0
    image = (symmetric + grain).round().astype(np.uint8)
    assert 0.98 < correlation(image, np.fliplr(image)) < 0.995
    assert (dct_hash(image) != dct_hash(np.fliplr(image))).sum() <= 5
    (pair,) = near_identical(np.stack([image, image]))
    assert pair.orientation == "as it is"
    assert pair.correlation == pytest.approx(1, abs=1e-4)
    (pair,) = near_identical(np.stack([image, np.fliplr(image)]))
    assert pair.orientation == "mirrored"


def test_more_images_than_are_compared_at_a_time(monkeypatch):
    images = scenes(120)
    images = np.concatenate([images, images[::2]])
    whole = near_identical(images)
    assert len(whole) == 60
    monkeypatch.setattr(module, "_PAIRS", 32)
    monkeypatch.setattr(module, "_BLOCK", 50)
    seen = []
    assert near_identical(images, report=lambda done, total: seen.append((done, total))) == whole
    assert seen == [(50, 180), (100, 180), (150, 180), (180, 180)]


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
