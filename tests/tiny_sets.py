"""A small prepared set of real digits."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.workstation.image_set import ImageSet, Split, describe, fingerprint, open_prepared
from edgecnn_training.settings import Optimizer, TrainingSettings


@pytest.fixture(scope="session")
def write_set() -> Callable[..., ImageSet]:
    """Write splits as a prepared set, and open it."""

    def write(
        folder: Path, splits: dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]], labels: str = "0123456789"
    ) -> ImageSet:
        height, width, channels = splits["train"][0].shape[1:]
        made = {
            name: Split(images, numbers, tuple(f"{name} {index}" for index in range(len(numbers))))
            for name, (images, numbers) in splits.items()
        }
        image_set = ImageSet(
            name="small",
            labels=tuple(labels),
            input=InputSpec(height, width, Colour.GREY if channels == 1 else Colour.RGB),
            splits=made,
            fingerprint=fingerprint(tuple(labels), made),
            source="tests",
            licence="none",
        )
        folder.mkdir(parents=True)
        for name, split in made.items():
            np.save(folder / f"{name}.images.npy", split.images)
            np.save(folder / f"{name}.labels.npy", split.labels)
            (folder / f"{name}.files.txt").write_text("\n".join(split.files) + "\n")
        (folder / "dataset.json").write_text(json.dumps(describe(image_set)))
        return open_prepared(folder)

    return write


@pytest.fixture(scope="session")
def small_set(
    tmp_path_factory: pytest.TempPathFactory,
    write_set: Callable[..., ImageSet],
    digits: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> ImageSet:
    """200 digits to train and validate on, 50 to test on; of each class as many."""
    images, labels = digits
    train, test = np.arange(0, 5000, 25), np.arange(7, 5000, 100)
    folder = tmp_path_factory.mktemp("sets") / "small"
    return write_set(folder, {"train": (images[train], labels[train]), "test": (images[test], labels[test])})


@pytest.fixture
def quick() -> TrainingSettings:
    """Two epochs that learn something from 180 digits."""
    return TrainingSettings(epochs=2, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.003, seed=3)
