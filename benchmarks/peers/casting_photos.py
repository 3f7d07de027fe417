"""The casting photos that trainings are timed on: the real ones, or synthetic ones of the same shape."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_training.data.known_sets import KNOWN_SETS
from edgecnn_training.data.prepare import open_or_prepare, prepare_own
from edgecnn_training.data.readers.own_images import OwnImages

_CASTING = KNOWN_SETS["casting"]
# As many as shared subsets of the real set have; the time of a step does not depend on what a photo shows.
SYNTHETIC_IMAGES = {"train": 840, "test": 678}


@dataclass(frozen=True)
class CastingPhotos:
    """One set in both forms: class folders of JPEGs, as the notebook reads them, and prepared."""

    folders: Path  # with `train` and `test`, and in each one folder a class
    prepared: ImageSet
    synthetic: bool

    @property
    def described(self) -> str:
        """What the photos are, for the page of results."""
        kind = "synthetic, since EDGECNN_DATA names no real ones" if self.synthetic else "real"
        count = len(self.prepared.split("train"))
        return f"{count} casting photos of 300x300 to train on ({kind})"


def casting_photos(scratch: Path) -> CastingPhotos:
    """Open the real photos of `$EDGECNN_DATA`, or write synthetic ones into `scratch`."""
    found = _CASTING.find()
    if found is not None and (found / "train").is_dir():
        return CastingPhotos(found, open_or_prepare(_CASTING.name, say=print), synthetic=False)
    folders = scratch / "photos"
    generator = np.random.default_rng(0)
    size = (_CASTING.input.width, _CASTING.input.height)
    for split, count in SYNTHETIC_IMAGES.items():
        for number in range(count):
            folder = folders / split / _CASTING.labels[number % len(_CASTING.labels)]
            folder.mkdir(parents=True, exist_ok=True)
            # Coarse noise, which compresses as well as a photo does.
            coarse = Image.fromarray(generator.integers(0, 256, (38, 38), np.uint8))
            photo = coarse.resize(size, Image.Resampling.BICUBIC).convert("RGB")
            photo.save(folder / f"{number:04}.jpeg", quality=90)
    prepared = prepare_own(OwnImages(folders), spec=_CASTING.input, output=scratch / "prepared")
    return CastingPhotos(folders, prepared, synthetic=True)
